
/*
 * The listener's ordinary connection.  It asks the server one thing after the
 * other; an answer belongs to the connection that the question went to, and a
 * question that is lost with its connection is never repeated.
 *
 * check() asks for what both kinds of feed have to know again and again: which
 * server it is, whether the triggers are as they were and announce what this
 * node listens to, and how far the server's log has come.
 */

#ifndef _TOURNAMENT_SESSION_H_INCLUDED_
#define _TOURNAMENT_SESSION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "pg/pg.h"


/* the first statement of each kind of feed */
#define TOURNAMENT_SESSION_CHECK  0

/* the server and the database of a session, in one text: see report.server */
#define TOURNAMENT_SESSION_SERVER                                            \
    "SELECT pg_catalog.concat_ws(' ', c.system_identifier, d.oid,"           \
    "         pg_catalog.pg_postmaster_start_time(),"                        \
    "         pg_catalog.pg_is_in_recovery())"
#define TOURNAMENT_SESSION_FROM                                              \
    "  FROM pg_catalog.pg_control_system() c"                                \
    "  JOIN pg_catalog.pg_database d"                                        \
    "    ON d.datname = pg_catalog.current_database()"

/* bits of announced, below */
#define TOURNAMENT_SESSION_NOTIFY   1
#define TOURNAMENT_SESSION_LOGICAL  2


typedef struct tournament_session_s  tournament_session_t;


typedef struct {
    uint64_t                   server;      /* a hash: server and database */
    uint64_t                   triggers;    /* a hash: what they look like */
    uint64_t                   lsn;         /* flushed; standby: replayed */
    ngx_uint_t                 version;     /* 150004 */
    ngx_uint_t                 queue;       /* percent of the queue in use */
    ngx_uint_t                 announced;   /* by the triggers; bits */
    unsigned                   standby:1;
    unsigned                   decodes:1;   /* wal_level is logical */
    unsigned                   published:1; /* the publication is there */
    unsigned                   armed:1;     /* all triggers are in force */
    unsigned                   holds:1;     /* a standby: its primary keeps
                                               what it needs */
    unsigned                   awaited:1;   /* synchronous_standby_names match
                                               this session's stream, too */
} tournament_report_t;


typedef struct {
    ngx_array_t               *targets;     /* tournament_target_t */
    tournament_outage_t       *outage;
    ngx_msec_t                 connect_timeout;
    tournament_pg_statement_t **statements; /* [0]: tournament_session_check */
    ngx_uint_t                 nstatements;
    int                        standby;     /* see tournament_pg_conf_t */

    /*
     * ready: it is open.  lost: it was.  notify: a payload, good until it
     * returns.  closing, crowded: see tournament_pg_conf_t.  checked: a check's
     * answer, and how long it took, us; report is NULL where there was none.
     */

    void                     (*ready)(void *data);
    void                     (*crowded)(void *data);
    void                     (*lost)(void *data);
    void                     (*notify)(void *data, char *payload);
    void                     (*closing)(void *data);
    void                     (*checked)(void *data,
                                  tournament_report_t *report, uint64_t took);
    void                      *data;
} tournament_session_conf_t;


/*
 * ok is 0 where there is no answer, nor will be.  res is good until it
 * returns, and NULL of a command without rows.
 */

typedef void (*tournament_session_answer_pt)(void *data, ngx_uint_t ok,
    PGresult *res);


/* a question; its owner's memory, zeroed at first */

typedef struct {
    tournament_pg_query_t      query;
    tournament_session_answer_pt  answer;
    void                      *data;
    unsigned                   asking:1;
} tournament_question_t;


extern tournament_pg_statement_t  tournament_session_check_statement;


/*
 * Opens the connection, and again whenever it is lost.  Memory is taken from
 * pool; conf is copied.  Returns NULL when memory is short.
 */

tournament_session_t *tournament_session_create(ngx_pool_t *pool,
    ngx_log_t *log, tournament_session_conf_t *conf);


/* Closes it, calling no hooks.  Questions of others are to be forgotten. */

void tournament_session_destroy(tournament_session_t *session);


/* Asks for a report, unless that is under way: hook checked() gets it. */

void tournament_session_check(tournament_session_t *session);


/*
 * Asks; statement is an index in conf->statements, value its parameter or
 * NULL, and has to stay until the answer.  A question that is under way is not
 * to be asked again.  answer is called once, never from within this call,
 * unless the question is forgotten.  Returns NGX_OK, or NGX_ERROR where the
 * connection is not open.
 */

ngx_int_t tournament_session_ask(tournament_session_t *session,
    tournament_question_t *question, ngx_uint_t statement, const char *value,
    tournament_session_answer_pt answer, void *data);
void tournament_session_forget(tournament_question_t *question);


/* A hash of a text in a result's first row, as those in a report. */

uint64_t tournament_session_hash(PGresult *res, int column);


/* Integer or boolean in a result's first row; dflt where it is NULL. */

int64_t tournament_session_integer(PGresult *res, int column, int64_t dflt);


/* The index in conf->targets of the server that it is connected to. */

ngx_uint_t tournament_session_target(tournament_session_t *session);


/* Which server that is: see tournament_pg_server(). */

uint64_t tournament_session_server(tournament_session_t *session);


#endif /* _TOURNAMENT_SESSION_H_INCLUDED_ */
