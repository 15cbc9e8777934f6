from django.urls import path

from tournaments.views import tournament_state

urlpatterns = [
    path("tournaments/api/<slug:slug>/state/", tournament_state),
]
