
/*
 * A commit may come before others see it: a primary sends it as soon as it is
 * flushed, and with synchronous replication it is not visible until the
 * standby has confirmed it.  Who read the row again at once would keep the old
 * one.  So the session, which is on the same server, is asked for a snapshot,
 * and those that it shows take effect: one question at a time for all of them,
 * not too often while many commit, and again after a short while as long as
 * some are not visible.
 */

#include <ngx_event.h>

#include "feed/changes.h"
#include "feed/pgoutput.h"
#include "feed/snapshot.h"
#include "zone/timer.h"


/*
 * ms; between two questions for the same ones: a part of how long they have
 * waited already
 */
#define TOURNAMENT_CHANGES_WAIT_PART 4
#define TOURNAMENT_CHANGES_WAIT_MIN  1
#define TOURNAMENT_CHANGES_WAIT_MAX  16

/* ms; between two questions while several commits come for each */
#define TOURNAMENT_CHANGES_PACE      2

/* different tokens of a transaction; more of them are everything */
#define TOURNAMENT_CHANGES_TOKENS    300


/* a transaction that waits */

typedef struct {
    ngx_queue_t                 queue;
    uint32_t                    xid;
    uint64_t                    lsn;        /* of its commit record */
    int64_t                     time;       /* of the commit, us */
    ngx_uint_t                  ntokens;
    tournament_token_t          tokens[1];
} tournament_change_t;


struct tournament_changes_s {
    tournament_changes_conf_t   conf;

    /* the transaction that has begun */
    unsigned                    within:1;
    unsigned                    everything:1;
    uint32_t                    xid;
    ngx_uint_t                  ntokens;
    tournament_token_t         *tokens;

    /* those that wait, in the order of their commits */
    ngx_queue_t                 waiting;
    ngx_uint_t                  nwaiting;
    tournament_question_t       question;
    ngx_msec_t                  asked;      /* the last one */
    ngx_msec_t                  since;      /* the last commit came */
    ngx_event_t                 again;
    unsigned                    busy:1;     /* its answer was for several */
};


static void tournament_changes_collect(tournament_changes_t *changes,
    tournament_token_t *token);
static void tournament_changes_soon(tournament_changes_t *changes);
static void tournament_changes_ask(tournament_changes_t *changes);
static void tournament_changes_again(ngx_event_t *ev);
static void tournament_changes_answered(void *data, ngx_uint_t ok,
    PGresult *res);
static void tournament_changes_apply(tournament_changes_t *changes,
    tournament_snapshot_t *snapshot);
static tournament_change_t *tournament_changes_first(
    tournament_changes_t *changes);


tournament_pg_statement_t  tournament_changes_visible = {
    "tournament_visible",
    "SELECT pg_catalog.pg_current_snapshot()::text",
    0
};


tournament_changes_t *
tournament_changes_create(ngx_pool_t *pool, tournament_changes_conf_t *conf)
{
    tournament_changes_t  *changes;

    changes = ngx_pcalloc(pool, sizeof(tournament_changes_t));
    if (changes == NULL) {
        return NULL;
    }

    changes->tokens = ngx_palloc(pool, TOURNAMENT_CHANGES_TOKENS
                                       * sizeof(tournament_token_t));

    if (changes->tokens == NULL) {
        return NULL;
    }

    changes->conf = *conf;

    ngx_queue_init(&changes->waiting);
    tournament_timer_init(&changes->again, tournament_changes_again, changes,
                          conf->log, 1);

    return changes;
}


void
tournament_changes_destroy(tournament_changes_t *changes)
{
    tournament_change_t  *change;

    tournament_session_forget(&changes->question);
    tournament_timer_stop(&changes->again);

    while (changes->nwaiting) {
        change = tournament_changes_first(changes);

        ngx_queue_remove(&change->queue);
        ngx_free(change);
        changes->nwaiting--;
    }
}


void
tournament_changes_begin(tournament_changes_t *changes, uint32_t xid)
{
    changes->within = 1;
    changes->everything = 0;
    changes->ntokens = 0;
    changes->xid = xid;
}


ngx_uint_t
tournament_changes_within(tournament_changes_t *changes)
{
    return changes->within;
}


void
tournament_changes_message(tournament_changes_t *changes,
    const u_char *content, size_t len)
{
    tournament_token_t    token;
    tournament_payload_t  payload;

    if (!changes->within) {
        return;
    }

    tournament_payload_open(&payload, content, len);

    while (!changes->everything && tournament_payload_next(&payload, &token)) {
        tournament_changes_collect(changes, &token);
    }
}


static void
tournament_changes_collect(tournament_changes_t *changes,
    tournament_token_t *token)
{
    ngx_uint_t           i;
    tournament_token_t  *tokens;

    tokens = changes->tokens;

    for (i = 0; i < changes->ntokens; i++) {
        if (tokens[i].id == token->id && tokens[i].kind == token->kind) {
            return;
        }
    }

    if (token->kind != TOURNAMENT_PAYLOAD_EVERYTHING
        && i < TOURNAMENT_CHANGES_TOKENS)
    {
        tokens[i] = *token;
        changes->ntokens++;
        return;
    }

    tokens[0].kind = TOURNAMENT_PAYLOAD_EVERYTHING;
    tokens[0].id = 0;

    changes->ntokens = 1;
    changes->everything = 1;
}


ngx_int_t
tournament_changes_commit(tournament_changes_t *changes, uint64_t lsn,
    int64_t time)
{
    size_t                size;
    tournament_change_t  *change;

    changes->within = 0;

    if (changes->ntokens == 0) {
        return NGX_OK;
    }

    size = changes->ntokens * sizeof(tournament_token_t);

    change = ngx_alloc(sizeof(tournament_change_t) + size, changes->conf.log);
    if (change == NULL) {
        return NGX_ERROR;
    }

    change->xid = changes->xid;
    change->lsn = lsn;
    change->time = time;
    change->ntokens = changes->ntokens;
    ngx_memcpy(change->tokens, changes->tokens, size);

    changes->ntokens = 0;

    ngx_queue_insert_tail(&changes->waiting, &change->queue);
    changes->nwaiting++;
    changes->since = ngx_current_msec;

    tournament_changes_soon(changes);

    return NGX_OK;
}


uint64_t
tournament_changes_waiting(tournament_changes_t *changes, int64_t *time)
{
    tournament_change_t  *change;

    if (changes->nwaiting == 0) {
        return 0;
    }

    change = tournament_changes_first(changes);
    *time = change->time;

    return change->lsn;
}


static tournament_change_t *
tournament_changes_first(tournament_changes_t *changes)
{
    ngx_queue_t  *q;

    q = ngx_queue_head(&changes->waiting);

    return ngx_queue_data(q, tournament_change_t, queue);
}


/* what comes while a question is under way waits for its answer, see there */

static void
tournament_changes_soon(tournament_changes_t *changes)
{
    ngx_msec_t  passed;

    if (changes->question.asking) {
        return;
    }

    passed = ngx_current_msec - changes->asked;

    if (!changes->busy || passed >= TOURNAMENT_CHANGES_PACE) {
        tournament_changes_ask(changes);
        return;
    }

    tournament_timer_stop(&changes->again);
    ngx_add_timer(&changes->again, TOURNAMENT_CHANGES_PACE - passed);
}


/* where it cannot be asked, the session is lost, and all of this with it */

static void
tournament_changes_ask(tournament_changes_t *changes)
{
    tournament_timer_stop(&changes->again);

    changes->asked = ngx_current_msec;

    (void) tournament_session_ask(changes->conf.session, &changes->question,
                                  changes->conf.statement, NULL,
                                  tournament_changes_answered, changes);
}


static void
tournament_changes_again(ngx_event_t *ev)
{
    tournament_changes_ask(ev->data);
}


static void
tournament_changes_answered(void *data, ngx_uint_t ok, PGresult *res)
{
    ngx_uint_t              n;
    ngx_msec_t              wait;
    tournament_changes_t   *changes = data;
    tournament_snapshot_t   snapshot;

    if (!ok || PQntuples(res) != 1
        || tournament_snapshot_read(&snapshot,
                                    (u_char *) PQgetvalue(res, 0, 0),
                                    PQgetlength(res, 0, 0))
           != 0)
    {
        changes->conf.failed(changes->conf.data);
        return;
    }

    n = changes->nwaiting;

    tournament_changes_apply(changes, &snapshot);

    changes->busy = (n - changes->nwaiting > 1);

    if (changes->nwaiting) {
        wait = (ngx_current_msec - changes->since)
               / TOURNAMENT_CHANGES_WAIT_PART;
        wait = ngx_max(wait, TOURNAMENT_CHANGES_WAIT_MIN);

        ngx_add_timer(&changes->again,
                      ngx_min(wait, TOURNAMENT_CHANGES_WAIT_MAX));
    }

    if (changes->nwaiting < n) {
        changes->conf.applied(changes->conf.data);
    }
}


/* those that others see take effect */

static void
tournament_changes_apply(tournament_changes_t *changes,
    tournament_snapshot_t *snapshot)
{
    uint64_t              xid;
    ngx_uint_t            i;
    ngx_queue_t          *q, *next;
    tournament_change_t  *change;

    for (q = ngx_queue_head(&changes->waiting);
         q != ngx_queue_sentinel(&changes->waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        change = ngx_queue_data(q, tournament_change_t, queue);

        xid = tournament_pgoutput_xid8(change->xid, snapshot->xmax);

        if (!tournament_snapshot_shows(snapshot, xid)) {
            continue;
        }

        for (i = 0; i < change->ntokens; i++) {
            changes->conf.token(changes->conf.token_data, &change->tokens[i]);
        }

        ngx_queue_remove(q);
        ngx_free(change);
        changes->nwaiting--;
    }
}
