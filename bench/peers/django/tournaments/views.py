from django.http import JsonResponse
from django.utils import timezone
from django.views.decorators.cache import cache_page
from django.views.decorators.http import require_safe

from .models import Tournament
from .state import TournamentState


def json_response(data, status=200):
    return JsonResponse(
        data,
        status=status,
        content_type="application/json; charset=utf-8",
        json_dumps_params={"ensure_ascii": False, "separators": (",", ":")},
    )


@require_safe
@cache_page(30)
def tournament_state(request, slug):
    now = timezone.now().replace(microsecond=0)

    try:
        tournament = Tournament.objects.get(slug=slug)
    except Tournament.DoesNotExist:
        return json_response(
            {
                "success": False,
                "error": "No such tournament",
                "code": "not_found",
            },
            status=404,
        )

    state = TournamentState(tournament, now).as_dict()
    slots = state["slots"]

    return json_response(
        {
            "success": True,
            "timestamp": now.isoformat(),
            "state": state,
            "user_registered": False,
            "registration_state": state["registration_state"],
            "phase": state["phase"],
            "time_until_start": state["time_until_start"],
            "registered_count": slots["taken"],
            "max_teams": slots["total"],
            "available_slots": slots["available"],
            "is_full": slots["is_full"],
            "button_state": "not_authenticated",
            "button_text": "Login to Register",
        }
    )
