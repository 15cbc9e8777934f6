
/* What entries of "registration_context" hold: a user at a tournament. */

#ifndef _TOURNAMENT_REGISTRATION_CONTEXT_H_INCLUDED_
#define _TOURNAMENT_REGISTRATION_CONTEXT_H_INCLUDED_


#include "rules/state.h"
#include "serve/endpoint.h"


typedef struct {
    tournament_facts_t           facts;
    tournament_user_facts_t      user;
    tournament_string_t          team_name;
    tournament_string_t          captain_name;
    uint32_t                     requires_payment;
    uint32_t                     participant;   /* CONFIRMED, self or
                                                   some team */
} tournament_context_facts_t;


extern tournament_endpoint_t  tournament_endpoint_registration_context;


#endif /* _TOURNAMENT_REGISTRATION_CONTEXT_H_INCLUDED_ */
