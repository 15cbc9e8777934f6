"""What follows from a tournament's facts and the clock."""

from datetime import timedelta

from .models import Registration, Tournament, TournamentSettings

PUBLISHED = (
    Tournament.Status.PUBLISHED,
    Tournament.Status.RUNNING,
    Tournament.Status.COMPLETED,
)


def instant(value):
    return value.isoformat() if value else None


class TournamentState:
    def __init__(self, tournament, now, taken=None):
        self.tournament = tournament
        self.now = now.replace(microsecond=0)

        try:
            settings = tournament.settings
        except TournamentSettings.DoesNotExist:
            settings = TournamentSettings()

        self.settings = settings
        self.start = tournament.start_at or settings.start_at
        self.opens = settings.reg_open_at or tournament.reg_open_at
        self.closes = settings.reg_close_at or tournament.reg_close_at
        self.is_team_based = (
            max(settings.min_team_size or 0, settings.max_team_size or 0) > 1
        )
        if taken is None:
            taken = tournament.registrations.filter(
                status=Registration.Status.CONFIRMED
            ).count()

        self.taken = taken

    @property
    def is_published(self):
        return self.tournament.status in PUBLISHED

    @property
    def is_completed(self):
        return self.tournament.status == Tournament.Status.COMPLETED

    @property
    def is_started(self):
        return self.start is not None and self.now >= self.start

    @property
    def has_limit(self):
        return bool(self.tournament.slot_size)

    @property
    def is_full(self):
        return self.has_limit and self.taken >= self.tournament.slot_size

    @property
    def phase(self):
        status = self.tournament.status

        if status == Tournament.Status.DRAFT:
            return "draft"
        if status == Tournament.Status.COMPLETED:
            return "completed"
        if status == Tournament.Status.RUNNING or self.is_started:
            return "live"
        return "registration"

    @property
    def registration_state(self):
        if not self.is_published:
            return "not_open"
        if self.is_completed:
            return "completed"
        if self.opens and self.closes:
            if self.now < self.opens:
                return "not_open"
            if self.now > self.closes:
                return "closed"
            return "full" if self.is_full else "open"
        if (
            self.tournament.status == Tournament.Status.PUBLISHED
            and not self.is_started
        ):
            return "full" if self.is_full else "open"
        if self.is_started:
            return "started"
        return "not_open"

    @property
    def slots(self):
        total = self.tournament.slot_size if self.has_limit else None

        return {
            "total": total,
            "taken": self.taken,
            "available": total - self.taken if self.has_limit else None,
            "is_full": self.is_full,
            "has_limit": self.has_limit,
        }

    def left_until(self, moment):
        if moment is None:
            return None

        left = moment - self.now
        left -= timedelta(microseconds=left.microseconds)
        return left if left > timedelta(0) else None

    def time_until(self, moment):
        left = self.left_until(moment)
        return str(left) if left else None

    def seconds_until(self, moment):
        left = self.left_until(moment)
        return int(left.total_seconds()) if left else None

    def as_dict(self):
        return {
            "phase": self.phase,
            "is_published": self.is_published,
            "is_started": self.is_started,
            "is_completed": self.is_completed,
            "registration_state": self.registration_state,
            "can_register": False,
            "reason": "You must be logged in to register",
            "is_team_based": self.is_team_based,
            "slots": self.slots,
            "time_until_start": self.time_until(self.start),
            "time_until_reg_closes": self.time_until(self.closes),
            "seconds_until_start": self.seconds_until(self.start),
            "seconds_until_reg_closes": self.seconds_until(self.closes),
            "opens_at": instant(self.opens),
            "closes_at": instant(self.closes),
            "starts_at": instant(self.start),
        }
