
/*
 * A transaction that has committed and waits for its standby is still running
 * to others, and nothing tells it from one that has not committed: so all that
 * have an id are watched.  Ids below a bound, the next one at the time of the
 * first answer, become fewer as their transactions end, and never more.
 */

#include <ngx_event.h>

#include "feed/elders.h"
#include "zone/timer.h"


/* ms; between two questions, ever longer as long as none ends */
#define TOURNAMENT_ELDERS_WAIT_MIN  1
#define TOURNAMENT_ELDERS_WAIT_MAX  16


struct tournament_elders_s {
    tournament_elders_conf_t   conf;
    tournament_question_t      question;
    u_char                     bound[NGX_INT64_LEN + 1];
                                            /* xid8; "0": not known */
    uint64_t                   left;
    ngx_event_t                again;
    ngx_msec_t                 wait;
};


static void tournament_elders_ask(tournament_elders_t *elders);
static void tournament_elders_again(ngx_event_t *ev);
static void tournament_elders_answered(void *data, ngx_uint_t ok,
    PGresult *res);


/*
 * The next id is found by the age of the first one, which takes none and needs
 * no right; a snapshot's xmax may be less.  It has 32 bits: the upper ones are
 * those of the xmax, or one more.
 */

tournament_pg_statement_t  tournament_elders_running = {
    "tournament_elders",
    "WITH s AS MATERIALIZED"
    "     (SELECT s, pg_catalog.pg_snapshot_xmax(s)::text::int8 AS xmax,"
    "             (pg_catalog.age('3'::pg_catalog.xid)::int8 + 3)"
    "             & 4294967295 AS next"
    "        FROM pg_catalog.pg_current_snapshot() AS s),"
    "     b AS MATERIALIZED"
    "     (SELECT CASE WHEN $1::int8 > 0 THEN $1::int8"
    "                  ELSE xmax + ((next - xmax) & 4294967295) END AS bound"
    "        FROM s)"
    "SELECT b.bound, greatest(b.bound - s.xmax, 0)"
    "       + (SELECT count(*) FROM pg_catalog.pg_snapshot_xip(s.s) x (xid)"
    "           WHERE x.xid::text::int8 < b.bound)"
    "  FROM s, b",
    1
};


tournament_elders_t *
tournament_elders_create(ngx_pool_t *pool, tournament_elders_conf_t *conf)
{
    tournament_elders_t  *elders;

    elders = ngx_pcalloc(pool, sizeof(tournament_elders_t));
    if (elders == NULL) {
        return NULL;
    }

    elders->conf = *conf;
    elders->bound[0] = '0';

    tournament_timer_init(&elders->again, tournament_elders_again, elders,
                          conf->log, 1);

    return elders;
}


void
tournament_elders_destroy(tournament_elders_t *elders)
{
    tournament_session_forget(&elders->question);
    tournament_timer_stop(&elders->again);
}


void
tournament_elders_watch(tournament_elders_t *elders)
{
    tournament_elders_ask(elders);
}


uint64_t
tournament_elders_left(tournament_elders_t *elders)
{
    return elders->left;
}


/* where it cannot be asked, the session is lost, and the stream with it */

static void
tournament_elders_ask(tournament_elders_t *elders)
{
    (void) tournament_session_ask(elders->conf.session, &elders->question,
                                  elders->conf.statement,
                                  (char *) elders->bound,
                                  tournament_elders_answered, elders);
}


static void
tournament_elders_again(ngx_event_t *ev)
{
    tournament_elders_ask(ev->data);
}


static void
tournament_elders_answered(void *data, ngx_uint_t ok, PGresult *res)
{
    uint64_t              left, before;
    ngx_uint_t            first;
    tournament_elders_t  *elders = data;

    if (!ok || PQntuples(res) != 1 || PQnfields(res) != 2) {
        elders->conf.failed(elders->conf.data);
        return;
    }

    first = (elders->bound[0] == '0');
    before = elders->left;
    left = tournament_session_integer(res, 1, 0);

    (void) ngx_sprintf(elders->bound, "%uL%Z",
                       (uint64_t) tournament_session_integer(res, 0, 1));

    elders->left = left;
    elders->wait = (first || left < before)
                   ? TOURNAMENT_ELDERS_WAIT_MIN
                   : ngx_min(elders->wait * 2, TOURNAMENT_ELDERS_WAIT_MAX);

    if (left) {
        ngx_add_timer(&elders->again, elders->wait);
    }

    if (first) {
        elders->conf.counted(elders->conf.data);

    } else if (left < before) {
        elders->conf.ended(elders->conf.data);
    }
}
