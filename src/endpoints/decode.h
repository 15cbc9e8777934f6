
/*
 * Rows become facts: a decoder for each endpoint, and the columns that it
 * reads.  A decoder is given the first of its rows and their number, which may
 * be 0; what does not exist is entry.missing.  It also says which things the
 * entry shows, so that a change of one of them makes the entry invalid.
 */

#ifndef _TOURNAMENT_DECODE_H_INCLUDED_
#define _TOURNAMENT_DECODE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "serve/facts.h"
#include "serve/result.h"


#define TOURNAMENT_STATE_COLUMNS          10
#define TOURNAMENT_HUB_COLUMNS            22
#define TOURNAMENT_DETAIL_COLUMNS         31
#define TOURNAMENT_PARTICIPANTS_COLUMNS   13
#define TOURNAMENT_COUNT_COLUMNS          5
#define TOURNAMENT_CONTEXT_COLUMNS        22
#define TOURNAMENT_REGISTRATIONS_COLUMNS  27
#define TOURNAMENT_STATS_COLUMNS          8

/* the slug among the columns of state and states */
#define TOURNAMENT_STATE_SLUG             9


extern const Oid  tournament_state_columns[];
extern const Oid  tournament_hub_columns[];
extern const Oid  tournament_detail_columns[];
extern const Oid  tournament_participants_columns[];
extern const Oid  tournament_count_columns[];
extern const Oid  tournament_context_columns[];
extern const Oid  tournament_registrations_columns[];
extern const Oid  tournament_stats_columns[];


/* tournament_facts_t */
void tournament_decode_state(tournament_result_t *result, int row, int n);

/* tournament_hub_t */
void tournament_decode_hub(tournament_result_t *result, int row, int n);

/* tournament_detail_t */
void tournament_decode_detail(tournament_result_t *result, int row, int n);

/* tournament_participants_t */
void tournament_decode_participants(tournament_result_t *result, int row,
    int n);

/* tournament_count_t */
void tournament_decode_count(tournament_result_t *result, int row, int n);

/* tournament_context_facts_t, less what the request knows: who it is */
void tournament_decode_context(tournament_result_t *result, int row, int n);

/* tournament_registrations_t */
void tournament_decode_registrations(tournament_result_t *result, int row,
    int n);

/* tournament_stats_t */
void tournament_decode_stats(tournament_result_t *result, int row, int n);


#endif /* _TOURNAMENT_DECODE_H_INCLUDED_ */
