
/*
 * What entries hold, as the decoders write it and the renderers read it: a
 * struct of the endpoint's at offset 0, structs and strings that it refers to
 * by offset behind it.  All of it is bytes that can be copied anywhere whose
 * address is a multiple of 8.
 */

#ifndef _NGX_HTTP_TOURNAMENT_FACTS_H_INCLUDED_
#define _NGX_HTTP_TOURNAMENT_FACTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "rules/state.h"


/* offset 0 is null: the endpoint's struct is there */

typedef struct {
    uint32_t                          offset;
    uint32_t                          len;
} ngx_http_tournament_string_t;


/* a tournament in a list, and in its own page */

typedef struct {
    tournament_facts_t                facts;
    int64_t                           end_at;
    int64_t                           registered;  /* PENDING, CONFIRMED */
    ngx_http_tournament_string_t      slug;
    ngx_http_tournament_string_t      name;
    ngx_http_tournament_string_t      game;
    ngx_http_tournament_string_t      status;
    ngx_http_tournament_string_t      short_description;
    ngx_http_tournament_string_t      banner;
    ngx_http_tournament_string_t      entry_fee;   /* numbers, two decimals */
    ngx_http_tournament_string_t      prize_pool;
} ngx_http_tournament_card_t;


/* n cards follow */

typedef struct {
    int64_t                           total_count;
    int64_t                           page;
    int64_t                           per_page;
    uint32_t                          cards;       /* offset */
    uint32_t                          n;
} ngx_http_tournament_hub_t;


typedef struct {
    ngx_http_tournament_card_t        card;
    ngx_http_tournament_string_t      description;
    ngx_http_tournament_string_t      type;
    ngx_http_tournament_string_t      youtube;
    ngx_http_tournament_string_t      facebook;
    ngx_http_tournament_string_t      discord;
    ngx_http_tournament_string_t      prize_distribution;
    ngx_http_tournament_string_t      rules_pdf;
    int64_t                           check_in_open_at;
    int64_t                           check_in_close_at;
    int64_t                           created_at;
    int64_t                           updated_at;
    int64_t                           check_in_required;
    uint32_t                          related;     /* cards' offset */
    uint32_t                          n;
} ngx_http_tournament_detail_t;


typedef struct {
    int64_t                           id;
    int64_t                           pending;
    int64_t                           confirmed;
    int64_t                           cancelled;
    ngx_http_tournament_string_t      slug;
} ngx_http_tournament_count_t;


typedef struct {
    ngx_http_tournament_string_t      status;
    ngx_http_tournament_string_t      name;
    ngx_http_tournament_string_t      team_name;
    ngx_http_tournament_string_t      team_tag;
    ngx_http_tournament_string_t      captain;
    uint32_t                          has_team;
    uint32_t                          reserved;
} ngx_http_tournament_participant_t;


typedef struct {
    int64_t                           start_at;
    uint32_t                          participants;  /* offset */
    uint32_t                          n;
} ngx_http_tournament_participants_t;


/* a user at a tournament */

typedef struct {
    tournament_facts_t                facts;
    tournament_user_facts_t           user;
    ngx_http_tournament_string_t      team_name;
    ngx_http_tournament_string_t      captain_name;
    uint32_t                          requires_payment;
    uint32_t                          participant;   /* CONFIRMED, self or
                                                        some team */
} ngx_http_tournament_context_t;


typedef struct {
    ngx_http_tournament_card_t        card;
    int64_t                           id;
    int64_t                           created_at;
    int64_t                           team_id;
    ngx_http_tournament_string_t      status;
    ngx_http_tournament_string_t      payment_status;
    ngx_http_tournament_string_t      team_name;
    ngx_http_tournament_string_t      team_tag;
    uint32_t                          has_team;
    uint32_t                          reserved;
} ngx_http_tournament_registration_t;


typedef struct {
    uint32_t                          registrations;  /* offset */
    uint32_t                          n;
} ngx_http_tournament_registrations_t;


typedef struct {
    ngx_http_tournament_string_t      game;
    int64_t                           count;
} ngx_http_tournament_game_t;


typedef struct {
    int64_t                           total_active;
    int64_t                           players_this_month;
    int64_t                           prize_pool_month;
    int64_t                           completed;
    int64_t                           new_this_week;
    uint32_t                          games;          /* offset */
    uint32_t                          n;
} ngx_http_tournament_stats_t;


#endif /* _NGX_HTTP_TOURNAMENT_FACTS_H_INCLUDED_ */
