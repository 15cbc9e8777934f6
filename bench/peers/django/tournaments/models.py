"""The tables that the answers are made of; they belong to sql/schema.sql."""

from django.db import models


class Tournament(models.Model):
    class Status(models.TextChoices):
        DRAFT = "DRAFT"
        PUBLISHED = "PUBLISHED"
        RUNNING = "RUNNING"
        COMPLETED = "COMPLETED"

    name = models.CharField(max_length=255)
    slug = models.SlugField(max_length=255, unique=True)
    short_description = models.TextField(null=True)
    game = models.CharField(max_length=20)
    status = models.CharField(max_length=16, choices=Status.choices)
    banner = models.CharField(max_length=100, null=True)
    slot_size = models.IntegerField(null=True)
    reg_open_at = models.DateTimeField(null=True)
    reg_close_at = models.DateTimeField(null=True)
    start_at = models.DateTimeField(null=True)
    end_at = models.DateTimeField(null=True)
    entry_fee_bdt = models.DecimalField(
        max_digits=10, decimal_places=2, null=True
    )
    prize_pool_bdt = models.DecimalField(
        max_digits=12, decimal_places=2, null=True
    )

    class Meta:
        managed = False
        db_table = "tournaments_tournament"


class TournamentSettings(models.Model):
    tournament = models.OneToOneField(
        Tournament, on_delete=models.CASCADE, related_name="settings"
    )
    start_at = models.DateTimeField(null=True)
    end_at = models.DateTimeField(null=True)
    reg_open_at = models.DateTimeField(null=True)
    reg_close_at = models.DateTimeField(null=True)
    min_team_size = models.PositiveSmallIntegerField(null=True)
    max_team_size = models.PositiveSmallIntegerField(null=True)
    prize_pool_bdt = models.IntegerField(null=True)
    banner = models.CharField(max_length=100, null=True)

    class Meta:
        managed = False
        db_table = "tournaments_tournamentsettings"


class UserProfile(models.Model):
    user_id = models.BigIntegerField(unique=True)

    class Meta:
        managed = False
        db_table = "user_profile_userprofile"


class Team(models.Model):
    name = models.CharField(max_length=100)
    tag = models.CharField(max_length=10)

    class Meta:
        managed = False
        db_table = "teams_team"


class TeamMembership(models.Model):
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, related_name="memberships"
    )
    profile = models.ForeignKey(
        UserProfile, on_delete=models.CASCADE, related_name="memberships"
    )
    status = models.CharField(max_length=16)

    class Meta:
        managed = False
        db_table = "teams_teammembership"


class Registration(models.Model):
    class Status(models.TextChoices):
        PENDING = "PENDING"
        CONFIRMED = "CONFIRMED"
        CANCELLED = "CANCELLED"

    tournament = models.ForeignKey(
        Tournament, on_delete=models.CASCADE, related_name="registrations"
    )
    user = models.ForeignKey(
        UserProfile, on_delete=models.CASCADE, null=True
    )
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True)
    status = models.CharField(max_length=16, choices=Status.choices)
    payment_status = models.CharField(max_length=16)
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "tournaments_registration"
