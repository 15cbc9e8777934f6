
/*
 * What entries hold, as the decoders write it and the renderers read it: a
 * struct of the endpoint's at offset 0, structs and strings that it refers to
 * by offset behind it.  All of it is bytes that can be copied anywhere whose
 * address is a multiple of 8.
 */

#ifndef _TOURNAMENT_FACTS_H_INCLUDED_
#define _TOURNAMENT_FACTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "rules/state.h"


/* offset 0 is null: the endpoint's struct is there */

typedef struct {
    uint32_t                          offset;
    uint32_t                          len;
} tournament_string_t;


/* a tournament in a list, and in its own page */

typedef struct {
    tournament_facts_t       facts;
    int64_t                  end_at;
    int64_t                  registered;  /* PENDING, CONFIRMED */
    tournament_string_t      slug;
    tournament_string_t      name;
    tournament_string_t      game;
    tournament_string_t      status;
    tournament_string_t      short_description;
    tournament_string_t      banner;
    tournament_string_t      entry_fee;   /* numbers, two decimals */
    tournament_string_t      prize_pool;
} tournament_card_t;


/* n cards follow */

typedef struct {
    int64_t                           total_count;
    int64_t                           page;
    int64_t                           per_page;
    uint32_t                          cards;       /* offset */
    uint32_t                          n;
} tournament_hub_t;


typedef struct {
    tournament_card_t        card;
    tournament_string_t      description;
    tournament_string_t      type;
    tournament_string_t      youtube;
    tournament_string_t      facebook;
    tournament_string_t      discord;
    tournament_string_t      prize_distribution;
    tournament_string_t      rules_pdf;
    int64_t                  check_in_open_at;
    int64_t                  check_in_close_at;
    int64_t                  created_at;
    int64_t                  updated_at;
    int64_t                  check_in_required;
    uint32_t                 related;     /* cards' offset */
    uint32_t                 n;
} tournament_detail_t;


typedef struct {
    int64_t                  id;
    int64_t                  pending;
    int64_t                  confirmed;
    int64_t                  cancelled;
    tournament_string_t      slug;
} tournament_count_t;


typedef struct {
    tournament_string_t      status;
    tournament_string_t      name;
    tournament_string_t      team_name;
    tournament_string_t      team_tag;
    tournament_string_t      captain;
    uint32_t                 has_team;
    uint32_t                 reserved;
} tournament_participant_t;


typedef struct {
    int64_t                           start_at;
    uint32_t                          participants;  /* offset */
    uint32_t                          n;
} tournament_participants_t;


/* a user at a tournament */

typedef struct {
    tournament_facts_t           facts;
    tournament_user_facts_t      user;
    tournament_string_t          team_name;
    tournament_string_t          captain_name;
    uint32_t                     requires_payment;
    uint32_t                     participant;   /* CONFIRMED, self or
                                                   some team */
} tournament_context_facts_t;


typedef struct {
    tournament_card_t        card;
    int64_t                  id;
    int64_t                  created_at;
    int64_t                  team_id;
    tournament_string_t      status;
    tournament_string_t      payment_status;
    tournament_string_t      team_name;
    tournament_string_t      team_tag;
    uint32_t                 has_team;
    uint32_t                 reserved;
} tournament_registration_t;


typedef struct {
    uint32_t                          registrations;  /* offset */
    uint32_t                          n;
} tournament_registrations_t;


typedef struct {
    tournament_string_t      game;
    int64_t                  count;
} tournament_game_t;


typedef struct {
    int64_t                           total_active;
    int64_t                           players_this_month;
    int64_t                           prize_pool_month;
    int64_t                           completed;
    int64_t                           new_this_week;
    uint32_t                          games;          /* offset */
    uint32_t                          n;
} tournament_stats_t;


#endif /* _TOURNAMENT_FACTS_H_INCLUDED_ */
