
/*
 * Changes by logical decoding: the triggers write messages into the server's
 * log, in the writer's transaction, and a temporary slot streams them in the
 * order of commits.  Nobody has to wait for anybody, and a standby has them
 * too.
 *
 * A transaction takes effect when others see it: see changes.h.
 *
 *     CONNECTING  -> IDENTIFYING  the stream's connection is open
 *     IDENTIFYING -> CREATING     it leads to the session's server
 *     CREATING    -> COUNTING     there is a slot: all transactions that ran
 *                                 have ended
 *     COUNTING    -> STARTING     those that run now are counted, see elders.h
 *     STARTING    -> STREAMING    messages come
 *     any         -> FAILED       fail(): the feed is told in the next turn of
 *                                 the event loop
 */

#include <ngx_event.h>

#include "feed/changes.h"
#include "feed/elders.h"
#include "feed/pgoutput.h"
#include "feed/source.h"
#include "pg/stream.h"
#include "rules/hash.h"
#include "zone/timer.h"


/* ms; between status updates, each of which requests a reply */
#define TOURNAMENT_LOGICAL_HEARTBEAT  2000

/* ms; a reply, or the stream itself, that takes longer is late */
#define TOURNAMENT_LOGICAL_LATE       2000

/* ms; without a byte for so long it is lost */
#define TOURNAMENT_LOGICAL_SILENCE    60000

/* ms; a slot that takes longer is worth a line that says why */
#define TOURNAMENT_LOGICAL_PATIENCE   2000

/* ms; an old worker waits so long for its successor's slot */
#define TOURNAMENT_LOGICAL_HANDOVER   60000

#define TOURNAMENT_LOGICAL_PREFIX     "tournament_api"


typedef enum {
    TOURNAMENT_LOGICAL_CONNECTING = 0,
    TOURNAMENT_LOGICAL_IDENTIFYING,
    TOURNAMENT_LOGICAL_CREATING,
    TOURNAMENT_LOGICAL_COUNTING,
    TOURNAMENT_LOGICAL_STARTING,
    TOURNAMENT_LOGICAL_STREAMING,
    TOURNAMENT_LOGICAL_FAILED
} tournament_logical_state_e;


enum {
    TOURNAMENT_LOGICAL_VISIBLE = TOURNAMENT_SESSION_CHECK + 1,
    TOURNAMENT_LOGICAL_ELDERS,
    TOURNAMENT_LOGICAL_BLOCKERS
};


typedef struct {
    tournament_logical_state_e  state;
    tournament_source_conf_t   *conf;
    ngx_pool_t                 *pool;
    ngx_msec_t                  since;      /* in this state */

    tournament_stream_t        *stream;     /* NULL: lost */
    tournament_stream_conf_t    stream_conf;
    tournament_target_t         extra;
    const char                 *keywords[4];
    const char                 *values[4];
    unsigned char               backend[NGX_INT32_LEN + 1];
                                            /* the stream's, for SQL */
    uint64_t                    server;     /* the session's */
    uint64_t                    position;   /* since this LSN */
    tournament_source_lag_t     lag;        /* with the slot's name */

    tournament_changes_t       *changes;
    tournament_elders_t        *elders;
    uint64_t                    received;   /* LSN: all before has come */
    uint64_t                    drain;      /* LSN: see drain(), or 0 */

    ngx_msec_t                  heard;      /* the last byte */
    ngx_msec_t                  sent;       /* the last status update */
    ngx_msec_t                  requested;  /* a reply that has not come */
    unsigned                    awaiting:1;
    uint64_t                    goal;       /* LSN that the server had, or 0 */
    ngx_msec_t                  goal_since;
    int64_t                     clock;      /* the server's, us */

    unsigned                    standby:1;
    unsigned                    explained:1;
    tournament_question_t       blockers;

    ngx_event_t                 after;      /* tells the feed */
} tournament_logical_t;


/*
 * Commits would wait for this node, which confirms nothing before it is
 * visible: for ever.
 */

static const char  tournament_logical_awaited[] =
    "synchronous_standby_names match this node, too: name the standbys there "
    "instead of \"*\"";


static void *tournament_logical_start(tournament_source_conf_t *conf,
    tournament_report_t *report);
static const char *tournament_logical_unfit(tournament_source_conf_t *conf,
    tournament_report_t *report);
static ngx_int_t tournament_logical_init(tournament_logical_t *logical,
    tournament_report_t *report);
static ngx_int_t tournament_logical_init_stream(tournament_logical_t *logical);
static ngx_int_t tournament_logical_init_elders(tournament_logical_t *logical);
static void tournament_logical_slot_name(char *name);
static void tournament_logical_stop(void *source);
static void tournament_logical_change(tournament_logical_t *logical,
    tournament_logical_state_e state);
static void tournament_logical_fail(tournament_logical_t *logical);
static void tournament_logical_complain(tournament_source_conf_t *conf,
    const char *reason, const char *sqlstate);
static void tournament_logical_lament(tournament_logical_t *logical,
    const char *reason, const char *sqlstate);
static void tournament_logical_after(ngx_event_t *ev);

static void tournament_logical_ready(void *data);
static void tournament_logical_command(tournament_logical_t *logical,
    const char *sql);
static void tournament_logical_result(void *data, PGresult *res);
static void tournament_logical_counted(void *data);
static void tournament_logical_ended(void *data);
static void tournament_logical_begin(tournament_logical_t *logical);
static void tournament_logical_next(tournament_logical_t *logical);
static ngx_int_t tournament_logical_identified(tournament_logical_t *logical,
    PGresult *res);
static ngx_int_t tournament_logical_created(tournament_logical_t *logical,
    PGresult *res);
static void tournament_logical_stream_lost(void *data, const char *reason);

static void tournament_logical_copy(void *data, u_char *buf, size_t len);
static void tournament_logical_message(tournament_logical_t *logical,
    tournament_pgoutput_t *event);
static void tournament_logical_commit(tournament_logical_t *logical,
    tournament_pgoutput_t *event);
static void tournament_logical_received(tournament_logical_t *logical,
    uint64_t lsn);

static void tournament_logical_applied(void *data);
static void tournament_logical_unanswered(void *data);

static void tournament_logical_beat(void *source);
static void tournament_logical_judge(tournament_logical_t *logical);
static void tournament_logical_status(tournament_logical_t *logical,
    ngx_uint_t reply);
static uint64_t tournament_logical_handled(tournament_logical_t *logical);
static void tournament_logical_checked(void *source,
    tournament_report_t *report);
static void tournament_logical_report(tournament_logical_t *logical);
static void tournament_logical_notified(void *source, char *payload);
static void tournament_logical_drain(void *source, uint64_t position);
static void tournament_logical_explain(tournament_logical_t *logical);
static void tournament_logical_explained(void *data, ngx_uint_t ok,
    PGresult *res);


/* whom the server process that makes the slot waits for */

static tournament_pg_statement_t  tournament_logical_blockers_statement = {
    "tournament_blockers",
    "SELECT pg_catalog.string_agg(CASE WHEN b.pid = 0"
    "           THEN 'a prepared transaction'"
    "                || coalesce((SELECT ' ' || pg_catalog.quote_ident(p.gid)"
    "                               FROM pg_catalog.pg_locks l"
    "                               JOIN pg_catalog.pg_prepared_xacts p"
    "                                 ON p.transaction = l.transactionid"
    "                              WHERE l.pid = $1::int4 AND NOT l.granted"
    "                              LIMIT 1), '')"
    "           ELSE pg_catalog.concat('process ', b.pid,"
    "                ', whose transaction is '"
    "                || pg_catalog.date_trunc('second',"
    "                       pg_catalog.clock_timestamp() - a.xact_start)"
    "                || ' old') END, ', ')"
    "  FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1::int4)) b (pid)"
    "  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid",
    1
};


static tournament_pg_statement_t  *tournament_logical_statements[] = {
    &tournament_session_check_statement,
    &tournament_changes_visible,
    &tournament_elders_running,
    &tournament_logical_blockers_statement
};


tournament_source_kind_t  tournament_logical_kind = {
    ngx_string("logical"),
    TOURNAMENT_SESSION_LOGICAL,
    TOURNAMENT_LOGICAL_HANDOVER,
    160000,
    tournament_logical_statements,
    4,
    tournament_logical_start,
    tournament_logical_stop,
    tournament_logical_beat,
    tournament_logical_checked,
    tournament_logical_notified,
    tournament_logical_drain
};


static void *
tournament_logical_start(tournament_source_conf_t *conf,
    tournament_report_t *report)
{
    ngx_pool_t            *pool;
    const char            *reason;
    tournament_logical_t  *logical;

    reason = tournament_logical_unfit(conf, report);

    if (reason) {
        tournament_logical_complain(conf, reason, "");
        return NULL;
    }

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, conf->log);
    if (pool == NULL) {
        return NULL;
    }

    logical = ngx_pcalloc(pool, sizeof(tournament_logical_t));

    if (logical) {
        logical->pool = pool;
        logical->conf = conf;

        if (tournament_logical_init(logical, report) == NGX_OK) {
            return logical;
        }
    }

    ngx_destroy_pool(pool);

    return NULL;
}


/* why the server cannot do it, or NULL */

static const char *
tournament_logical_unfit(tournament_source_conf_t *conf,
    tournament_report_t *report)
{
    if (report->version < 140000) {
        return "PostgreSQL 14 or newer is needed";
    }

    if (!report->decodes) {
        return "wal_level is not logical: set it and restart the server, or "
               "set \"tournament_feed notify\"";
    }

    if (!report->published) {
        return "the publication tournament_api is missing: run install.sql";
    }

    if (report->awaited && !report->standby) {
        return tournament_logical_awaited;
    }

    if (report->standby && !report->holds && !conf->warned) {
        conf->warned = 1;

        ngx_log_error(NGX_LOG_WARN, conf->log, 0,
                      "tournament: the standby that is listened to should "
                      "have hot_standby_feedback on and a primary_slot_name: "
                      "otherwise its primary may remove what the slot needs");
    }

    return NULL;
}


static ngx_int_t
tournament_logical_init(tournament_logical_t *logical,
    tournament_report_t *report)
{
    tournament_changes_conf_t  cc;

    logical->since = ngx_current_msec;
    logical->server = report->server;
    logical->standby = report->standby;

    tournament_logical_slot_name(logical->lag.name);

    tournament_timer_init(&logical->after, tournament_logical_after, logical,
                          logical->conf->log, 1);

    cc.log = logical->conf->log;
    cc.session = logical->conf->session;
    cc.statement = TOURNAMENT_LOGICAL_VISIBLE;
    cc.token = logical->conf->hooks->token;
    cc.token_data = logical->conf->data;
    cc.applied = tournament_logical_applied;
    cc.failed = tournament_logical_unanswered;
    cc.data = logical;

    logical->changes = tournament_changes_create(logical->pool, &cc);

    if (logical->changes == NULL
        || tournament_logical_init_elders(logical) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return tournament_logical_init_stream(logical);
}


static ngx_int_t
tournament_logical_init_stream(tournament_logical_t *logical)
{
    tournament_stream_conf_t  *sc;

    /*
     * Creating the slot may wait for long, and holds the server's log: by a
     * statement, and not by the command of replication, which does not notice
     * that its client has died.  A peer that has gone without a word, or has
     * stopped, loses its slot in 10 s.
     */

    logical->keywords[0] = "replication";
    logical->values[0] = "database";
    logical->keywords[1] = "options";
    logical->values[1] = "-c wal_sender_timeout=10s -c statement_timeout=0"
                         " -c lock_timeout=0"
                         " -c client_connection_check_interval=2s";
    logical->extra.keywords = logical->keywords;
    logical->extra.values = logical->values;

    sc = &logical->stream_conf;

    sc->targets = logical->conf->targets;
    sc->target = tournament_session_target(logical->conf->session);
    sc->connect_timeout = logical->conf->connect_timeout;
    sc->extra = &logical->extra;
    sc->ready = tournament_logical_ready;
    sc->result = tournament_logical_result;
    sc->copy = tournament_logical_copy;
    sc->lost = tournament_logical_stream_lost;
    sc->data = logical;

    logical->stream = tournament_stream_create(logical->pool,
                                               logical->conf->log, sc);

    return logical->stream ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
tournament_logical_init_elders(tournament_logical_t *logical)
{
    tournament_elders_conf_t  conf;

    conf.log = logical->conf->log;
    conf.session = logical->conf->session;
    conf.statement = TOURNAMENT_LOGICAL_ELDERS;
    conf.counted = tournament_logical_counted;
    conf.ended = tournament_logical_ended;
    conf.failed = tournament_logical_unanswered;
    conf.data = logical;

    logical->elders = tournament_elders_create(logical->pool, &conf);

    return logical->elders ? NGX_OK : NGX_ERROR;
}


/* which node it belongs to is for an operator who looks at the slots */

static void
tournament_logical_slot_name(char *name)
{
    u_char      *p, *last, ch;
    ngx_uint_t   i;

    /* 63 bytes, less the numbers' */

    last = (u_char *) name + TOURNAMENT_SOURCE_NAME - 1
           - sizeof("_4294967295_ffffffff") + 1;

    p = ngx_cpymem(name, "tournament_", sizeof("tournament_") - 1);

    for (i = 0; i < ngx_cycle->hostname.len && p < last; i++) {
        ch = ngx_tolower(ngx_cycle->hostname.data[i]);

        *p++ = ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')) ? ch
                                                                      : '_';
    }

    p = ngx_sprintf(p, "_%P_%08xD", ngx_pid,
                    (uint32_t) ngx_random() << 16 ^ (uint32_t) ngx_random());
    *p = '\0';
}


static void
tournament_logical_stop(void *source)
{
    tournament_logical_t  *logical = source;

    if (logical->stream) {
        tournament_stream_destroy(logical->stream);
    }

    tournament_changes_destroy(logical->changes);
    tournament_elders_destroy(logical->elders);
    tournament_session_forget(&logical->blockers);
    tournament_timer_stop(&logical->after);

    ngx_destroy_pool(logical->pool);
}


/* the one place where the state changes */

static void
tournament_logical_change(tournament_logical_t *logical,
    tournament_logical_state_e state)
{
#if (NGX_DEBUG)

    static const char  *names[] = {
        "connecting", "identifying", "creating", "counting", "starting",
        "streaming", "failed"
    };

#endif

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, logical->conf->log, 0,
                   "tournament logical: %s -> %s", names[logical->state],
                   names[state]);

    logical->state = state;
    logical->since = ngx_current_msec;
}


/* the feed stops it, which is not to happen within a call of the stream's */

static void
tournament_logical_fail(tournament_logical_t *logical)
{
    if (logical->state != TOURNAMENT_LOGICAL_FAILED) {
        tournament_logical_change(logical, TOURNAMENT_LOGICAL_FAILED);

        if (!logical->after.timer_set) {
            ngx_add_timer(&logical->after, 0);
        }
    }
}


/* one line for each reason, until there is another, or a stream */

static void
tournament_logical_complain(tournament_source_conf_t *conf,
    const char *reason, const char *sqlstate)
{
    size_t                len;
    uint64_t              hash;
    const char           *advice;
    tournament_target_t  *target;

    static const uint8_t  key[TOURNAMENT_HASH_KEY_LEN];

    len = strcspn(reason, "\r\n");
    hash = tournament_hash(key, reason, len);

    if (hash == conf->complaint) {
        return;
    }

    conf->complaint = hash;

    if (ngx_strcmp(sqlstate, "42501") == 0) {
        advice = "; the role that listens needs the REPLICATION attribute";

    } else if (ngx_strcmp(sqlstate, "53300") == 0) {
        advice = "; each node needs up to three of max_wal_senders";

    } else if (ngx_strcmp(sqlstate, "53400") == 0) {
        advice = "; each node needs up to three of max_replication_slots";

    } else {
        advice = "";
    }

    target = conf->targets->elts;
    target += tournament_session_target(conf->session);

    ngx_log_error(NGX_LOG_ERR, conf->log, 0,
                  "tournament: PostgreSQL at \"%V\" does not stream changes, "
                  "and TTLs bound how old answers are: %*s%s",
                  &target->name, len, reason, advice);
}


/* one that has streamed is lost, and may soon be there again */

static void
tournament_logical_lament(tournament_logical_t *logical, const char *reason,
    const char *sqlstate)
{
    if (logical->state == TOURNAMENT_LOGICAL_STREAMING) {
        ngx_log_error(NGX_LOG_WARN, logical->conf->log, 0,
                      "tournament: the stream of changes is lost: %*s",
                      strcspn(reason, "\r\n"), reason);

    } else {
        tournament_logical_complain(logical->conf, reason, sqlstate);
    }
}


/* what the feed is told, in a turn of its own */

static void
tournament_logical_after(ngx_event_t *ev)
{
    tournament_logical_t      *logical;
    tournament_source_conf_t  *conf;

    logical = ev->data;
    conf = logical->conf;

    if (logical->state == TOURNAMENT_LOGICAL_FAILED) {
        conf->hooks->lost(conf->data);
        return;
    }

    conf->hooks->drained(conf->data);
}


static void
tournament_logical_ready(void *data)
{
    tournament_logical_t  *logical = data;

    tournament_logical_change(logical, TOURNAMENT_LOGICAL_IDENTIFYING);

    tournament_logical_command(logical, TOURNAMENT_SESSION_SERVER
                               ", pg_catalog.pg_backend_pid(),"
                               " (SELECT pg_catalog.set_config(t, '0', false)"
                               "    FROM (VALUES ('transaction_timeout'))"
                               "         AS v (t)"
                               "   WHERE pg_catalog.current_setting(t, true)"
                               "         OPERATOR(pg_catalog.<>) '0')"
                               TOURNAMENT_SESSION_FROM);
}


/* where it cannot be sent, lost() comes, and says why */

static void
tournament_logical_command(tournament_logical_t *logical, const char *sql)
{
    if (tournament_stream_command(logical->stream, sql) == NGX_BUSY) {
        tournament_logical_fail(logical);
    }
}


static void
tournament_logical_result(void *data, PGresult *res)
{
    ngx_int_t              rc;
    const char            *message, *sqlstate;
    tournament_logical_t  *logical = data;

    if (logical->state == TOURNAMENT_LOGICAL_FAILED) {
        return;
    }

    if (res == NULL) {
        tournament_logical_next(logical);
        return;
    }

    rc = NGX_ERROR;
    message = NULL;

    switch (PQresultStatus(res)) {

    case PGRES_TUPLES_OK:

        if (logical->state == TOURNAMENT_LOGICAL_IDENTIFYING) {
            rc = tournament_logical_identified(logical, res);

        } else if (logical->state == TOURNAMENT_LOGICAL_CREATING) {
            rc = tournament_logical_created(logical, res);
        }

        break;

    case PGRES_COPY_BOTH:

        if (logical->state == TOURNAMENT_LOGICAL_STARTING) {
            tournament_logical_begin(logical);
            return;
        }

        break;

    default:
        message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    }

    if (rc != NGX_OK) {
        sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);

        tournament_logical_lament(logical,
                                  message ? message : "unexpected answer",
                                  sqlstate ? sqlstate : "");
        tournament_logical_fail(logical);
    }
}


static void
tournament_logical_begin(tournament_logical_t *logical)
{
    tournament_source_conf_t  *conf;

    conf = logical->conf;

    tournament_logical_change(logical, TOURNAMENT_LOGICAL_STREAMING);

    logical->heard = ngx_current_msec;
    conf->complaint = 0;

    ngx_log_error(NGX_LOG_INFO, conf->log, 0,
                  "tournament: replication slot %s streams",
                  logical->lag.name);

    conf->hooks->up(conf->data, logical->position);

    tournament_logical_report(logical);
}


/* a command has ended */

static void
tournament_logical_next(tournament_logical_t *logical)
{
    u_char  sql[256];

    switch (logical->state) {

    case TOURNAMENT_LOGICAL_IDENTIFYING:
        tournament_logical_change(logical, TOURNAMENT_LOGICAL_CREATING);

        (void) ngx_sprintf(sql, "SELECT slot_name, lsn FROM pg_catalog."
                           "pg_create_logical_replication_slot('%s', "
                           "'pgoutput', true)%Z", logical->lag.name);
        break;

    case TOURNAMENT_LOGICAL_CREATING:
        tournament_logical_change(logical, TOURNAMENT_LOGICAL_COUNTING);

        /* a standby shows what it has replayed, and decodes it after that */

        if (logical->standby) {
            tournament_logical_counted(logical);

        } else {
            tournament_elders_watch(logical->elders);
        }

        return;

    default:

        /* the server has ended the stream: it shuts down */

        tournament_logical_fail(logical);
        return;
    }

    tournament_logical_command(logical, (char *) sql);
}


static void
tournament_logical_counted(void *data)
{
    u_char                 sql[256];
    tournament_logical_t  *logical = data;

    if (logical->state != TOURNAMENT_LOGICAL_COUNTING) {
        return;
    }

    tournament_logical_change(logical, TOURNAMENT_LOGICAL_STARTING);

    (void) ngx_sprintf(sql, "START_REPLICATION SLOT %s LOGICAL 0/0 "
                       "(proto_version '1', publication_names "
                       "'tournament_api', messages 'true')%Z",
                       logical->lag.name);

    tournament_logical_command(logical, (char *) sql);
}


static void
tournament_logical_ended(void *data)
{
    tournament_logical_t  *logical = data;

    if (logical->state == TOURNAMENT_LOGICAL_STREAMING) {
        logical->conf->hooks->unheard(logical->conf->data);
        tournament_logical_received(logical, 0);
    }
}


/* several hosts: the session may have come to another one */

static ngx_int_t
tournament_logical_identified(tournament_logical_t *logical, PGresult *res)
{
    if (PQntuples(res) != 1 || PQnfields(res) != 3) {
        return NGX_ERROR;
    }

    if (tournament_session_hash(res, 0) != logical->server) {
        ngx_log_error(NGX_LOG_INFO, logical->conf->log, 0,
                      "tournament: the stream leads to another server");
        tournament_logical_fail(logical);
        return NGX_OK;
    }

    (void) ngx_cpystrn(logical->backend, (u_char *) PQgetvalue(res, 0, 1),
                       sizeof(logical->backend));

    return NGX_OK;
}


static ngx_int_t
tournament_logical_created(tournament_logical_t *logical, PGresult *res)
{
    if (PQntuples(res) != 1 || PQnfields(res) < 2) {
        return NGX_ERROR;
    }

    if (tournament_pgoutput_lsn((u_char *) PQgetvalue(res, 0, 1),
                                PQgetlength(res, 0, 1), &logical->position)
        != 0)
    {
        return NGX_ERROR;
    }

    if (logical->explained) {
        ngx_log_error(NGX_LOG_NOTICE, logical->conf->log, 0,
                      "tournament: the replication slot is there, after %Mms",
                      ngx_current_msec - logical->since);
    }

    return NGX_OK;
}


static void
tournament_logical_stream_lost(void *data, const char *reason)
{
    tournament_logical_t  *logical = data;

    if (logical->state == TOURNAMENT_LOGICAL_FAILED) {
        return;
    }

    tournament_logical_lament(logical, reason,
                              tournament_stream_sqlstate(logical->stream));
    tournament_logical_fail(logical);
}


static void
tournament_logical_copy(void *data, u_char *buf, size_t len)
{
    const char             *error;
    tournament_logical_t   *logical = data;
    tournament_pgoutput_t   event;

    if (logical->state == TOURNAMENT_LOGICAL_FAILED) {
        return;
    }

    error = tournament_pgoutput_read(&event, buf, len);

    if (error) {
        tournament_logical_complain(logical->conf, error, "");
        tournament_logical_fail(logical);
        return;
    }

    logical->heard = ngx_current_msec;
    logical->clock = event.clock;

    switch (event.type) {

    case TOURNAMENT_PGOUTPUT_BEGIN:
        tournament_changes_begin(logical->changes, event.begin.xid);
        break;

    case TOURNAMENT_PGOUTPUT_MESSAGE:
        tournament_logical_message(logical, &event);
        break;

    case TOURNAMENT_PGOUTPUT_COMMIT:
        tournament_logical_commit(logical, &event);
        break;

    case TOURNAMENT_PGOUTPUT_KEEPALIVE:
        logical->awaiting = 0;

        if (!tournament_changes_within(logical->changes)) {
            tournament_logical_received(logical, event.end);
        }

        if (event.keepalive.reply) {
            tournament_logical_status(logical, 0);
        }

        break;

    case TOURNAMENT_PGOUTPUT_OTHER:
        break;
    }
}


/* one that was written whatever became of its transaction proves nothing */

static void
tournament_logical_message(tournament_logical_t *logical,
    tournament_pgoutput_t *event)
{
    if (!event->message.transactional
        || event->message.prefix_len != sizeof(TOURNAMENT_LOGICAL_PREFIX) - 1
        || ngx_memcmp(event->message.prefix, TOURNAMENT_LOGICAL_PREFIX,
                      sizeof(TOURNAMENT_LOGICAL_PREFIX) - 1)
           != 0)
    {
        return;
    }

    tournament_changes_message(logical->changes, event->message.content,
                               event->message.content_len);
}


static void
tournament_logical_commit(tournament_logical_t *logical,
    tournament_pgoutput_t *event)
{
    if (tournament_changes_commit(logical->changes, event->commit.commit,
                                  event->commit.time)
        != NGX_OK)
    {
        tournament_logical_fail(logical);
        return;
    }

    logical->conf->hooks->heard(logical->conf->data);

    tournament_logical_received(logical, event->commit.next);
}


/* all that was committed before that has come */

static void
tournament_logical_received(tournament_logical_t *logical, uint64_t lsn)
{
    if (lsn > logical->received) {
        logical->received = lsn;
    }

    if (logical->goal && logical->received >= logical->goal) {
        logical->goal = 0;
    }

    tournament_logical_report(logical);
    tournament_logical_judge(logical);

    /* of elders nothing comes, so it vouches for nothing as long as some run */

    if (logical->drain
        && tournament_elders_left(logical->elders) == 0
        && tournament_logical_handled(logical) >= logical->drain
        && !logical->after.timer_set)
    {
        ngx_add_timer(&logical->after, 0);
    }
}


/* the drain, and what is confirmed, depend on it */

static void
tournament_logical_applied(void *data)
{
    tournament_logical_received(data, 0);
}


static void
tournament_logical_unanswered(void *data)
{
    tournament_logical_t  *logical = data;

    tournament_logical_lament(logical, "no answer on the other connection",
                              "");
    tournament_logical_fail(logical);
}


static void
tournament_logical_beat(void *source)
{
    tournament_logical_t  *logical = source;

    switch (logical->state) {

    case TOURNAMENT_LOGICAL_CREATING:

        if (!logical->explained
            && ngx_current_msec - logical->since
               >= TOURNAMENT_LOGICAL_PATIENCE)
        {
            tournament_logical_explain(logical);
        }

        return;

    case TOURNAMENT_LOGICAL_STREAMING:
        break;

    default:
        return;
    }

    if (ngx_current_msec - logical->heard >= TOURNAMENT_LOGICAL_SILENCE) {
        tournament_logical_stream_lost(logical, "the server is silent");
        return;
    }

    if (ngx_current_msec - logical->sent >= TOURNAMENT_LOGICAL_HEARTBEAT) {
        tournament_logical_status(logical, 1);
    }

    tournament_logical_judge(logical);
}


/*
 * Late: a reply has not come, which is the server's trouble or the network's;
 * or what the server had in its log a while ago has not, which is that of
 * decoding.
 */

static void
tournament_logical_judge(tournament_logical_t *logical)
{
    ngx_uint_t  late;

    if (logical->state != TOURNAMENT_LOGICAL_STREAMING) {
        return;
    }

    late = (logical->awaiting
            && ngx_current_msec - logical->requested
               >= TOURNAMENT_LOGICAL_LATE)
           || (logical->goal
               && ngx_current_msec - logical->goal_since
                  >= TOURNAMENT_LOGICAL_LATE);

    logical->conf->hooks->late(logical->conf->data, late);
}


static void
tournament_logical_status(tournament_logical_t *logical, ngx_uint_t reply)
{
    u_char  buf[TOURNAMENT_PGOUTPUT_STATUS_LEN];

    tournament_pgoutput_status(buf, tournament_logical_handled(logical),
                               (int64_t) ngx_time() * 1000000, reply);

    if (tournament_stream_send(logical->stream, buf, sizeof(buf)) != NGX_OK) {
        return;
    }

    logical->sent = ngx_current_msec;

    if (reply && !logical->awaiting) {
        logical->awaiting = 1;
        logical->requested = ngx_current_msec;
    }
}


/* LSN: all before has come, and has taken effect */

static uint64_t
tournament_logical_handled(tournament_logical_t *logical)
{
    int64_t   time;
    uint64_t  lsn;

    lsn = tournament_changes_waiting(logical->changes, &time);

    return lsn ? lsn : ngx_max(logical->received, logical->position);
}


static void
tournament_logical_checked(void *source, tournament_report_t *report)
{
    tournament_logical_t  *logical = source;

    if (tournament_logical_unfit(logical->conf, report)) {
        tournament_logical_fail(logical);
        return;
    }

    if (logical->state != TOURNAMENT_LOGICAL_STREAMING) {
        return;
    }

    if (logical->goal == 0 && logical->received < report->lsn) {
        logical->goal = report->lsn;
        logical->goal_since = ngx_current_msec;

        /* an idle server says so only if it is asked */

        tournament_logical_status(logical, 1);
    }

    tournament_logical_report(logical);
}


static void
tournament_logical_report(tournament_logical_t *logical)
{
    int64_t                    age, time;
    uint64_t                   handled, end;
    tournament_source_lag_t   *lag;
    tournament_source_conf_t  *conf;

    lag = &logical->lag;
    conf = logical->conf;

    handled = tournament_logical_handled(logical);

    lag->behind = 0;
    lag->behind_ms = 0;

    if (logical->goal > handled) {
        lag->behind = logical->goal - handled;
        lag->behind_ms = ngx_current_msec - logical->goal_since;
    }

    if (tournament_changes_waiting(logical->changes, &time)) {
        end = ngx_max(logical->goal, logical->received);
        age = (logical->clock - time) / 1000;

        lag->behind = end - handled;
        lag->behind_ms = (age > 0) ? age : 0;
    }

    conf->hooks->lag(conf->data, lag);
}


static void
tournament_logical_notified(void *source, char *payload)
{
    /* void: it has not asked for any */
}


/* a requested reply tells how far an idle server has come */

static void
tournament_logical_drain(void *source, uint64_t position)
{
    tournament_logical_t  *logical = source;

    if (logical->state != TOURNAMENT_LOGICAL_STREAMING) {
        return;
    }

    logical->drain = position;

    if (logical->received < position && !logical->awaiting) {
        tournament_logical_status(logical, 1);
    }

    tournament_logical_received(logical, 0);
}


/* once: why there is no slot yet */

static void
tournament_logical_explain(tournament_logical_t *logical)
{
    if (logical->standby) {
        logical->explained = 1;

        ngx_log_error(NGX_LOG_WARN, logical->conf->log, 0,
                      "tournament: the replication slot on the standby waits "
                      "for its primary to log which transactions run, and "
                      "TTLs bound how old answers are: \"SELECT "
                      "pg_log_standby_snapshot()\" on the primary makes it "
                      "do so at once");
        return;
    }

    if (!logical->blockers.asking) {
        (void) tournament_session_ask(logical->conf->session,
                                      &logical->blockers,
                                      TOURNAMENT_LOGICAL_BLOCKERS,
                                      (char *) logical->backend,
                                      tournament_logical_explained, logical);
    }
}


static void
tournament_logical_explained(void *data, ngx_uint_t ok, PGresult *res)
{
    size_t                 len;
    u_char                *p, *text;
    tournament_logical_t  *logical = data;

    if (!ok || logical->state != TOURNAMENT_LOGICAL_CREATING
        || PQntuples(res) != 1 || PQgetlength(res, 0, 0) == 0)
    {
        return;
    }

    logical->explained = 1;

    text = (u_char *) PQgetvalue(res, 0, 0);
    len = ngx_min(PQgetlength(res, 0, 0), 512);

    /* a prepared transaction's name is anybody's text */

    for (p = text; p < text + len; p++) {
        if (*p < ' ') {
            *p = '?';
        }
    }

    ngx_log_error(NGX_LOG_WARN, logical->conf->log, 0,
                  "tournament: the replication slot waits for %*s, and TTLs "
                  "bound how old answers are", len, text);
}
