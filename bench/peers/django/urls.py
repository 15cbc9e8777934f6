from django.urls import path

from tournaments import views

urlpatterns = [
    path("tournaments/api/hub/", views.hub),
    path("tournaments/api/me/registrations/", views.user_registrations),
    path("tournaments/api/<slug:slug>/state/", views.tournament_state),
    path("tournaments/api/<slug:slug>/count/", views.registration_count),
]
