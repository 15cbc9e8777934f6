"""A tournament as the hub and a user's dashboard show it."""

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from .models import Registration
from .state import TournamentState, instant

REGISTERED = (Registration.Status.PENDING, Registration.Status.CONFIRMED)


def registrations_of(outer, statuses):
    """How many there are of a tournament, as a column of its query."""

    counted = (
        Registration.objects.filter(
            tournament=OuterRef(outer), status__in=statuses
        )
        .order_by()
        .values("tournament")
        .annotate(number=Count("pk"))
        .values("number")
    )

    return Coalesce(Subquery(counted), 0)


def money(value):
    return None if value is None else float(value)


def card(tournament, now, taken, registered):
    state = TournamentState(tournament, now, taken)
    settings = state.settings
    prize = tournament.prize_pool_bdt

    return {
        "id": tournament.pk,
        "slug": tournament.slug,
        "name": tournament.name,
        "game": tournament.game,
        "status": tournament.status,
        "short_description": tournament.short_description,
        "banner": tournament.banner or settings.banner or None,
        "entry_fee": money(tournament.entry_fee_bdt),
        "prize_pool": money(
            settings.prize_pool_bdt if prize is None else prize
        ),
        "reg_open_at": instant(state.opens),
        "reg_close_at": instant(state.closes),
        "start_at": instant(state.start),
        "end_at": instant(tournament.end_at or settings.end_at),
        "registration_count": registered,
        "phase": state.phase,
        "registration_state": state.registration_state,
        "slots": state.slots,
    }
