
/*
 * The parts of an answer: entries of the zone, or results of the database.  A
 * request gathers all of its parts, now or later, and is then answered.
 */

#ifndef _TOURNAMENT_GATHER_H_INCLUDED_
#define _TOURNAMENT_GATHER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/context.h"


/*
 * The age, ms, at which an entry in use is refreshed, before its TTL (ms) ends:
 * an eighth of it, two seconds at most.  Until then the memo may answer without
 * a look at the zone.
 */

static ngx_inline ngx_msec_t
tournament_settled(ngx_msec_t ttl)
{
    return ttl - ngx_min(ttl / 8, 2000);
}


/* Copies a key to a part.  NGX_OK or NGX_ERROR: no memory. */

ngx_int_t tournament_part_key(ngx_http_request_t *r, tournament_part_t *part,
    tournament_key_t *key);


/*
 * The part has its body, with a reference of the caller's that is the part's
 * from now on; NULL: it has none, and is to be looked up.
 */

void tournament_part_body(tournament_ctx_t *ctx, tournament_part_t *part,
    tournament_body_t *body);


/*
 * Looks each part up that is NEW, fetches what is not fresh, and calls
 * ctx->answer when all are READY, now or later.  Without a body a part has its
 * key set.  Returns a value for a handler to return.
 */

ngx_int_t tournament_gather(ngx_http_request_t *r, tournament_ctx_t *ctx);


/*
 * What an entry is good for.  status is HIT, it is fresh; UPDATING, it may be
 * shown while it is refreshed; STALE, it may be since the database fails;
 * EXPIRED, it may not.
 */

typedef struct {
    tournament_class_e         class;
    ngx_msec_t                 age;
    ngx_msec_t                 ttl;
    unsigned                   over:1;      /* the clock has changed it */

    tournament_cache_status_e  status;
    unsigned                   refresh:1;   /* it is to be */
    unsigned                   fallback:1;  /* a failing database would let it
                                               be shown */
} tournament_verdict_t;


/* Judges an entry of the zone, starting nothing. */

void tournament_gather_judge(tournament_main_conf_t *tmcf,
    tournament_loc_conf_t *tlcf, tournament_endpoint_t *endpoint,
    tournament_entry_t *entry, tournament_verdict_t *verdict);


/*
 * How long an entry of that endpoint holds here, ms: a user's a short time
 * while nothing is heard of changes.
 */

ngx_msec_t tournament_gather_ttl(tournament_main_conf_t *tmcf,
    tournament_loc_conf_t *tlcf, tournament_endpoint_t *endpoint,
    ngx_uint_t missing);


#endif /* _TOURNAMENT_GATHER_H_INCLUDED_ */
