from django.core.cache import cache
from django.core.paginator import Paginator
from django.db.models import Count, F, Q
from django.http import JsonResponse
from django.utils import timezone
from django.views.decorators.cache import cache_page
from django.views.decorators.http import require_safe

from .cards import REGISTERED, card, registrations_of
from .models import Registration, Tournament
from .state import TournamentState, instant


def json_response(data, status=200):
    return JsonResponse(
        data,
        status=status,
        content_type="application/json; charset=utf-8",
        json_dumps_params={"ensure_ascii": False, "separators": (",", ":")},
    )


def not_found():
    return json_response(
        {
            "success": False,
            "error": "No such tournament",
            "code": "not_found",
        },
        status=404,
    )


@require_safe
@cache_page(30)
def tournament_state(request, slug):
    now = timezone.now().replace(microsecond=0)

    try:
        tournament = Tournament.objects.only(
            "status", "slot_size", "reg_open_at", "reg_close_at", "start_at"
        ).get(slug=slug)
    except Tournament.DoesNotExist:
        return not_found()

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


@require_safe
@cache_page(30)
def hub(request):
    now = timezone.now().replace(microsecond=0)

    tournaments = (
        Tournament.objects.filter(
            status__in=(
                Tournament.Status.PUBLISHED,
                Tournament.Status.RUNNING,
            )
        )
        .select_related("settings")
        .order_by(F("start_at").desc(nulls_first=True), "-id")
    )

    paginator = Paginator(tournaments, 12)
    page = paginator.get_page(request.GET.get("page"))
    page.object_list = page.object_list.annotate(
        taken=registrations_of("pk", (Registration.Status.CONFIRMED,)),
        registered=registrations_of("pk", REGISTERED),
    )

    return json_response(
        {
            "success": True,
            "timestamp": now.isoformat(),
            "tournaments": [
                card(each, now, each.taken, each.registered) for each in page
            ],
            "pagination": {
                "page": page.number,
                "per_page": paginator.per_page,
                "total_pages": paginator.num_pages,
                "total_count": paginator.count,
                "has_next": page.has_next(),
                "has_previous": page.has_previous(),
            },
        }
    )


@require_safe
@cache_page(60)
def registration_count(request, slug):
    try:
        tournament = Tournament.objects.only("slug").get(slug=slug)
    except Tournament.DoesNotExist:
        return not_found()

    by_status = dict.fromkeys(Registration.Status.values, 0)
    by_status.update(
        tournament.registrations.order_by()
        .values_list("status")
        .annotate(Count("pk"))
    )

    return json_response(
        {
            "success": True,
            "tournament_id": tournament.pk,
            "slug": tournament.slug,
            "count": sum(by_status[status] for status in REGISTERED),
            "by_status": by_status,
        }
    )


# A real site has a session here; the bench says who it is by a header.
@require_safe
def user_registrations(request):
    account = request.headers.get("X-Account")

    if not account:
        return json_response(
            {
                "success": False,
                "error": "Login required",
                "code": "unauthenticated",
            },
            status=401,
        )

    key = f"registrations:{account}"
    data = cache.get(key)

    if data is None:
        data = dashboard(int(account))
        cache.set(key, data, 60)

    return json_response(data)


def dashboard(account):
    now = timezone.now().replace(microsecond=0)

    registrations = (
        Registration.objects.filter(
            Q(user__user_id=account)
            | Q(
                team__memberships__profile__user_id=account,
                team__memberships__status="ACTIVE",
            )
        )
        .select_related("team", "tournament", "tournament__settings")
        .annotate(
            taken=registrations_of(
                "tournament", (Registration.Status.CONFIRMED,)
            ),
            registered=registrations_of("tournament", REGISTERED),
        )
        .distinct()
        .order_by("-created_at", "-id")
    )

    return {
        "success": True,
        "timestamp": now.isoformat(),
        "registrations": [
            {
                "id": each.pk,
                "status": each.status,
                "payment_status": each.payment_status,
                "created_at": instant(each.created_at),
                "team": each.team
                and {
                    "id": each.team.pk,
                    "name": each.team.name,
                    "tag": each.team.tag,
                },
                "tournament": card(
                    each.tournament, now, each.taken, each.registered
                ),
            }
            for each in registrations
        ],
    }
