
/*
 * One connection of pg's room, and a rule: whatever is asked is bound to the
 * connection of that moment.  When it is lost, questions are forgotten before
 * anybody hears of the loss, so that no answer of an older connection passes
 * for one of the present one.
 */

#include <ngx_event.h>

#include "feed/session.h"
#include "rules/hash.h"


/* ms; an answer that takes longer is as good as none */
#define TOURNAMENT_SESSION_ANSWER  1000


struct tournament_session_s {
    tournament_session_conf_t   conf;
    tournament_pg_conf_t        pg_conf;
    tournament_pg_t            *pg;
    tournament_question_t       check;
    unsigned                    open:1;
};


static void tournament_session_crowded(void *data);
static void tournament_session_ready(void *data);
static void tournament_session_lost(void *data);
static void tournament_session_notify(void *data, char *payload);
static void tournament_session_closing(void *data);
static void tournament_session_answered(tournament_pg_query_t *query,
    tournament_pg_rc_e rc, PGresult *res);
static void tournament_session_checked(void *data, ngx_uint_t ok,
    PGresult *res);


/*
 * What the triggers announce by stands in the text of tournament_api.feed():
 * it is read, not called, since the listener's role need not have any right in
 * that schema.  Without the function it is NOTIFY.  Each function of triggers
 * is there for a table, and has to have one that is enabled.
 */

tournament_pg_statement_t  tournament_session_check_statement = {
    "tournament_check",
    TOURNAMENT_SESSION_SERVER ","
    "       t.looks,"
    "       (CASE WHEN pg_catalog.pg_is_in_recovery()"
    "             THEN pg_catalog.pg_last_wal_replay_lsn()"
    "             ELSE pg_catalog.pg_current_wal_flush_lsn() END"
    "        - '0/0')::int8,"
    "       pg_catalog.current_setting('server_version_num')::int8,"
    "       (pg_catalog.pg_notification_queue_usage() * 100)::int8,"
    "       (SELECT CASE WHEN f.prosrc LIKE '%both%' THEN 3"
    "                    WHEN f.prosrc LIKE '%logical%' THEN 2"
    "                    ELSE 1 END::int8"
    "          FROM pg_catalog.pg_proc f"
    "          JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace"
    "         WHERE n.nspname = 'tournament_api' AND f.proname = 'feed'),"
    "       pg_catalog.pg_is_in_recovery(),"
    "       pg_catalog.current_setting('wal_level') = 'logical',"
    "       EXISTS (SELECT FROM pg_catalog.pg_publication"
    "                WHERE pubname = 'tournament_api'),"
    "       t.armed,"
    "       pg_catalog.current_setting('hot_standby_feedback')::bool"
    "       AND pg_catalog.current_setting('primary_slot_name') <> '',"
    "       (ARRAY['*', pg_catalog.lower(pg_catalog.current_setting("
    "                       'application_name'))]"
    "        && pg_catalog.string_to_array(pg_catalog.translate("
    "               pg_catalog.lower(pg_catalog.current_setting("
    "                   'synchronous_standby_names')), ',()\"', '    '), ' ',"
    "               ''))"
    TOURNAMENT_SESSION_FROM
    " CROSS JOIN (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ',"
    "                      p.proname, t.tgrelid, t.tgrelid::regclass,"
    "                      t.tgname, t.tgenabled,"
    "                      (SELECT pg_catalog.string_agg(i.inhrelid::text,"
    "                                        ',' ORDER BY i.inhrelid)"
    "                         FROM pg_catalog.pg_inherits i"
    "                        WHERE i.inhparent = t.tgrelid)),"
    "                    ';' ORDER BY p.proname, t.tgrelid, t.tgname) AS looks,"
    "                    pg_catalog.bool_and(t.tgenabled IS NOT NULL"
    "                        AND t.tgenabled NOT IN ('D', 'R')) AS armed"
    "               FROM pg_catalog.pg_proc p"
    "               JOIN pg_catalog.pg_namespace n"
    "                 ON n.oid = p.pronamespace"
    "               LEFT JOIN pg_catalog.pg_trigger t ON t.tgfoid = p.oid"
    "              WHERE n.nspname = 'tournament_api'"
    "                AND p.prorettype = 'pg_catalog.trigger'::regtype) t",
    0
};


tournament_session_t *
tournament_session_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_session_conf_t *conf)
{
    tournament_session_t  *session;

    session = ngx_pcalloc(pool, sizeof(tournament_session_t));
    if (session == NULL) {
        return NULL;
    }

    session->conf = *conf;

    session->pg_conf.targets = conf->targets;
    session->pg_conf.connections = 1;
    session->pg_conf.queue = 8;
    session->pg_conf.connect_timeout = conf->connect_timeout;
    session->pg_conf.query_timeout = TOURNAMENT_SESSION_ANSWER;
    session->pg_conf.statements = conf->statements;
    session->pg_conf.nstatements = conf->nstatements;
    session->pg_conf.outage = conf->outage;
    session->pg_conf.prepare = 1;
    session->pg_conf.standby = conf->standby;
    session->pg_conf.ready = tournament_session_ready;
    session->pg_conf.lost = tournament_session_lost;
    session->pg_conf.notify = tournament_session_notify;
    session->pg_conf.closing = tournament_session_closing;
    session->pg_conf.crowded = tournament_session_crowded;
    session->pg_conf.data = session;

    session->pg = tournament_pg_create(pool, log, &session->pg_conf);

    return session->pg ? session : NULL;
}


void
tournament_session_destroy(tournament_session_t *session)
{
    tournament_session_forget(&session->check);
    tournament_pg_destroy(session->pg);
}


void
tournament_session_check(tournament_session_t *session)
{
    if (session->check.asking) {
        return;
    }

    (void) tournament_session_ask(session, &session->check,
                                  TOURNAMENT_SESSION_CHECK, NULL,
                                  tournament_session_checked, session);
}


ngx_int_t
tournament_session_ask(tournament_session_t *session,
    tournament_question_t *question, ngx_uint_t statement, const char *value,
    tournament_session_answer_pt answer, void *data)
{
    tournament_pg_query_t  *query;

    if (!session->open) {
        return NGX_ERROR;
    }

    query = &question->query;

    ngx_memzero(query, sizeof(tournament_pg_query_t));

    query->statement = statement;
    query->values[0] = value;
    query->timeout = TOURNAMENT_SESSION_ANSWER;
    query->background = 1;
    query->bound = 1;
    query->handler = tournament_session_answered;
    query->data = question;

    question->answer = answer;
    question->data = data;

    if (tournament_pg_send(session->pg, query) != NGX_OK) {
        return NGX_ERROR;
    }

    question->asking = 1;

    return NGX_OK;
}


/* one that is under way is answered all the same, to nobody */

void
tournament_session_forget(tournament_question_t *question)
{
    if (!question->asking) {
        return;
    }

    question->asking = 0;
    tournament_pg_forget(&question->query);
}


int64_t
tournament_session_integer(PGresult *res, int column, int64_t dflt)
{
    u_char     *p;
    int64_t     n;
    ngx_int_t   i, len;

    if (PQntuples(res) < 1 || column >= PQnfields(res)
        || PQgetisnull(res, 0, column))
    {
        return dflt;
    }

    p = (u_char *) PQgetvalue(res, 0, column);
    len = PQgetlength(res, 0, column);
    n = 0;

    for (i = 0; i < len && i < (ngx_int_t) sizeof(int64_t); i++) {
        n = (int64_t) ((uint64_t) n << 8 | p[i]);
    }

    return n;
}


ngx_uint_t
tournament_session_target(tournament_session_t *session)
{
    return tournament_pg_target(session->pg);
}


uint64_t
tournament_session_server(tournament_session_t *session)
{
    return tournament_pg_server(session->pg);
}


static void
tournament_session_crowded(void *data)
{
    tournament_session_t  *session = data;

    session->conf.crowded(session->conf.data);
}


static void
tournament_session_ready(void *data)
{
    tournament_session_t  *session = data;

    session->open = 1;
    session->conf.ready(session->conf.data);
}


static void
tournament_session_lost(void *data)
{
    tournament_session_t  *session = data;

    session->open = 0;
    tournament_session_forget(&session->check);

    session->conf.lost(session->conf.data);
}


static void
tournament_session_notify(void *data, char *payload)
{
    tournament_session_t  *session = data;

    session->conf.notify(session->conf.data, payload);
}


static void
tournament_session_closing(void *data)
{
    tournament_session_t  *session = data;

    session->conf.closing(session->conf.data);
}


static void
tournament_session_answered(tournament_pg_query_t *query,
    tournament_pg_rc_e rc, PGresult *res)
{
    tournament_question_t  *question;

    question = query->data;
    question->asking = 0;

    question->answer(question->data, rc == TOURNAMENT_PG_OK, res);
}


static void
tournament_session_checked(void *data, ngx_uint_t ok, PGresult *res)
{
    tournament_session_t  *session = data;

    tournament_pg_times_t  *times;
    tournament_report_t     report;

    if (!ok || res == NULL || PQntuples(res) != 1 || PQnfields(res) != 12) {
        session->conf.checked(session->conf.data, NULL, 0);
        return;
    }

    report.server = tournament_session_hash(res, 0);
    report.triggers = tournament_session_hash(res, 1);
    report.lsn = tournament_session_integer(res, 2, 0);
    report.version = tournament_session_integer(res, 3, 0);
    report.queue = tournament_session_integer(res, 4, 0);
    report.announced = tournament_session_integer(res, 5,
                                                  TOURNAMENT_SESSION_NOTIFY);
    report.standby = tournament_session_integer(res, 6, 0);
    report.decodes = tournament_session_integer(res, 7, 0);
    report.published = tournament_session_integer(res, 8, 0);
    report.armed = tournament_session_integer(res, 9, 0);
    report.holds = tournament_session_integer(res, 10, 0);
    report.awaited = tournament_session_integer(res, 11, 0);

    times = &session->check.query.times;

    session->conf.checked(session->conf.data, &report,
                          times->done - times->handed);
}


uint64_t
tournament_session_hash(PGresult *res, int column)
{
    static const uint8_t  key[TOURNAMENT_HASH_KEY_LEN];

    return tournament_hash(key, PQgetvalue(res, 0, column),
                           PQgetlength(res, 0, column));
}
