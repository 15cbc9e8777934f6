"""The tables that a state is made of; they belong to sql/schema.sql."""

from django.db import models


class Tournament(models.Model):
    class Status(models.TextChoices):
        DRAFT = "DRAFT"
        PUBLISHED = "PUBLISHED"
        RUNNING = "RUNNING"
        COMPLETED = "COMPLETED"

    name = models.CharField(max_length=255)
    slug = models.SlugField(max_length=255, unique=True)
    status = models.CharField(max_length=16, choices=Status.choices)
    slot_size = models.IntegerField(null=True)
    reg_open_at = models.DateTimeField(null=True)
    reg_close_at = models.DateTimeField(null=True)
    start_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "tournaments_tournament"


class TournamentSettings(models.Model):
    tournament = models.OneToOneField(
        Tournament, on_delete=models.CASCADE, related_name="settings"
    )
    start_at = models.DateTimeField(null=True)
    reg_open_at = models.DateTimeField(null=True)
    reg_close_at = models.DateTimeField(null=True)
    min_team_size = models.PositiveSmallIntegerField(null=True)
    max_team_size = models.PositiveSmallIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "tournaments_tournamentsettings"


class Registration(models.Model):
    class Status(models.TextChoices):
        PENDING = "PENDING"
        CONFIRMED = "CONFIRMED"
        CANCELLED = "CANCELLED"

    tournament = models.ForeignKey(
        Tournament, on_delete=models.CASCADE, related_name="registrations"
    )
    status = models.CharField(max_length=16, choices=Status.choices)

    class Meta:
        managed = False
        db_table = "tournaments_registration"
