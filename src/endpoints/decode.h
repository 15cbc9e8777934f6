
/*
 * Rows become facts: a decoder for each endpoint, and the columns that it
 * reads.  A decoder is given the first of its rows and their number, which may
 * be 0; what does not exist is entry.missing.  It also says which things the
 * entry shows, so that a change of one of them makes the entry invalid.
 */

#ifndef _NGX_HTTP_TOURNAMENT_DECODE_H_INCLUDED_
#define _NGX_HTTP_TOURNAMENT_DECODE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "serve/facts.h"
#include "serve/result.h"


#define NGX_HTTP_TOURNAMENT_STATE_COLUMNS          10
#define NGX_HTTP_TOURNAMENT_HUB_COLUMNS            22
#define NGX_HTTP_TOURNAMENT_DETAIL_COLUMNS         31
#define NGX_HTTP_TOURNAMENT_PARTICIPANTS_COLUMNS   13
#define NGX_HTTP_TOURNAMENT_COUNT_COLUMNS          5
#define NGX_HTTP_TOURNAMENT_CONTEXT_COLUMNS        22
#define NGX_HTTP_TOURNAMENT_REGISTRATIONS_COLUMNS  27
#define NGX_HTTP_TOURNAMENT_STATS_COLUMNS          8

/* the slug among the columns of state and states */
#define NGX_HTTP_TOURNAMENT_STATE_SLUG             9


extern const Oid  ngx_http_tournament_state_columns[];
extern const Oid  ngx_http_tournament_hub_columns[];
extern const Oid  ngx_http_tournament_detail_columns[];
extern const Oid  ngx_http_tournament_participants_columns[];
extern const Oid  ngx_http_tournament_count_columns[];
extern const Oid  ngx_http_tournament_context_columns[];
extern const Oid  ngx_http_tournament_registrations_columns[];
extern const Oid  ngx_http_tournament_stats_columns[];


/* tournament_facts_t */
void ngx_http_tournament_decode_state(ngx_http_tournament_result_t *result,
    int row, int n);

/* ngx_http_tournament_hub_t */
void ngx_http_tournament_decode_hub(ngx_http_tournament_result_t *result,
    int row, int n);

/* ngx_http_tournament_detail_t */
void ngx_http_tournament_decode_detail(ngx_http_tournament_result_t *result,
    int row, int n);

/* ngx_http_tournament_participants_t */
void ngx_http_tournament_decode_participants(
    ngx_http_tournament_result_t *result, int row, int n);

/* ngx_http_tournament_count_t */
void ngx_http_tournament_decode_count(ngx_http_tournament_result_t *result,
    int row, int n);

/* ngx_http_tournament_context_t, less what the request knows: who it is */
void ngx_http_tournament_decode_context(ngx_http_tournament_result_t *result,
    int row, int n);

/* ngx_http_tournament_registrations_t */
void ngx_http_tournament_decode_registrations(
    ngx_http_tournament_result_t *result, int row, int n);

/* ngx_http_tournament_stats_t */
void ngx_http_tournament_decode_stats(ngx_http_tournament_result_t *result,
    int row, int n);


#endif /* _NGX_HTTP_TOURNAMENT_DECODE_H_INCLUDED_ */
