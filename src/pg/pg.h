
/*
 * PostgreSQL on nginx's event loop: a worker's few connections and a bounded
 * queue in front of them.  Nothing here waits.
 *
 * A connection is DOWN (closed, a timer reopens it), CONNECTING or READY, and
 * moves between these in one function each.  A ready one is in libpq's
 * pipeline mode: each query is followed by a sync of its own, so neighbours
 * share neither errors nor snapshots.  Statements are prepared as the
 * connection becomes ready; a query that finds its statement missing, as
 * behind a pooler, is repeated without a name, and the next one prepares it.
 *
 * Addresses are tried in turn, without a pause between them; a pause follows
 * when all have failed.  Only then, or when an open connection is lost, is
 * there an outage: the node has one line in the log as it begins, and one when
 * all connections have been open for a moment.
 *
 * Every query has a deadline, from the moment that it is handed over.  A query
 * whose connection is lost goes to another, and once to one that was opened
 * after that; then it fails.  While no connection can be had, queries wait for
 * one within their deadline, so that a restart of the server loses none; once
 * the outage has lasted longer than a deadline they fail at once.
 */

#ifndef _TOURNAMENT_PG_H_INCLUDED_
#define _TOURNAMENT_PG_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <libpq-fe.h>

#include "zone/outage.h"


/* a standby is of no use, whatever its version */
#define TOURNAMENT_PG_PRIMARY  INT_MAX


typedef struct tournament_pg_s        tournament_pg_t;
typedef struct tournament_pg_query_s  tournament_pg_query_t;


typedef struct {
    const char                      *name;      /* of the prepared statement */
    const char                      *sql;
    ngx_uint_t                       nparams;
} tournament_pg_statement_t;


typedef enum {
    TOURNAMENT_PG_OK = 0,
    TOURNAMENT_PG_TIMEOUT,      /* the deadline has passed */
    TOURNAMENT_PG_UNAVAILABLE,  /* no connection, or no room */
    TOURNAMENT_PG_FAILED        /* the server refused the query */
} tournament_pg_rc_e;


/* how things are now */

typedef struct {
    ngx_uint_t                ready;     /* connections */
    ngx_uint_t                connecting;
    ngx_uint_t                down;
    ngx_uint_t                queued;    /* queries */
    ngx_uint_t                in_flight;
} tournament_pg_gauges_t;


/*
 * Who counts; data belongs to it, and the functions may be NULL.  ended: a
 * query has, in that way, with its times.  refused: the queue had no room for
 * one.  gauges: some of them may have changed.
 */

typedef struct {
    void                  (*ended)(void *data, tournament_pg_query_t *query,
                                tournament_pg_rc_e rc);
    void                  (*refused)(void *data);
    void                  (*gauges)(void *data,
                                tournament_pg_gauges_t *gauges);
    void                   *data;
} tournament_pg_meter_t;


typedef struct {
    ngx_array_t            *targets;  /* tournament_target_t,
                                         tried in turn */
    ngx_uint_t              connections;
    ngx_uint_t              queue;             /* queries at most */
    ngx_msec_t              connect_timeout;
    ngx_msec_t              query_timeout;

    tournament_pg_statement_t
                          **statements;        /* some are NULL */
    ngx_uint_t              nstatements;
    tournament_pg_meter_t   meter;
    tournament_outage_t    *outage;            /* of the node */

    unsigned                prepare:1;  /* statements have names */

    /*
     * The oldest server that is of use as a standby, such as 160000; 0: any.
     * The conninfo may name several hosts, of which another one is then tried.
     */
    int                     standby;

    /*
     * What happens to a connection; each may be NULL.  A notification's
     * payload is good until its hook returns.  closing: the worker begins to
     * exit, and the connection stays as long as the worker.  away: an attempt
     * to connect has failed, and tournament_pg_away() has come true or still
     * is.
     */

    void                  (*away)(void *data);
    void                  (*ready)(void *data);
    void                  (*lost)(void *data);
    void                  (*notify)(void *data, char *payload);
    void                  (*closing)(void *data);
    void                  (*crowded)(void *data);
    void                   *data;
} tournament_pg_conf_t;


/* when what befell a query, us; see tournament_pg_now() */

typedef struct {
    uint64_t                         handed;    /* to this room */
    uint64_t                         connected; /* a connection was there */
    uint64_t                         sent;      /* 0: never */
    uint64_t                         done;
} tournament_pg_times_t;


/*
 * With PG_OK res is a result of PGRES_TUPLES_OK in binary format, or NULL of a
 * command that has no rows; else it is NULL.  It is freed after the handler
 * returns, unless query->keep is set.
 */

typedef void (*tournament_pg_handler_pt)(
    tournament_pg_query_t *query, tournament_pg_rc_e rc,
    PGresult *res);

/* called just before the query is sent, each time that it is */

typedef void (*tournament_pg_sending_pt)(tournament_pg_query_t *query);


typedef enum {
    TOURNAMENT_PG_QUEUED = 0,
    TOURNAMENT_PG_SENT,
    TOURNAMENT_PG_LOST,         /* about to fail, in the next turn */
    TOURNAMENT_PG_DONE          /* its handler runs, or has run */
} tournament_pg_query_state_e;


#define TOURNAMENT_PG_PARAMS  16


/* the caller's to allocate, zeroed, and to keep until the handler is called */

struct tournament_pg_query_s {

    /* set by the caller */

    ngx_uint_t                  statement;   /* index in conf */
    const char                 *values[TOURNAMENT_PG_PARAMS];
                                             /* as text */
    ngx_msec_t                  timeout;     /* ms from now */
    tournament_pg_sending_pt    sending;
    tournament_pg_handler_pt    handler;
    void                       *data;
    unsigned                    background:1;  /* nobody waits for
                                                  it, nor need an
                                                  exit */
    unsigned                    keep:1;        /* the handler frees
                                                  the result */
    unsigned                    bound:1;       /* to its connection: fails
                                                  where that is lost */

    /* the room's own */

    ngx_queue_t                 queue;
    ngx_event_t                 deadline;
    tournament_pg_t            *pg;
    struct tournament_pg_slot_s
                                        *slot;      /* while SENT */
    tournament_pg_query_state_e state;
    ngx_uint_t                  resent;    /* times */
    unsigned                    unnamed:1; /* its statement was
                                              missing */
    unsigned                    repeated:1;
    ngx_uint_t                  opened;    /* at the first one */
    tournament_pg_times_t       times;
};


/*
 * Makes a worker's connections and starts opening them.  conf must live as
 * long; memory is taken from pool.  Returns NULL when memory is short.
 */

tournament_pg_t *tournament_pg_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_pg_conf_t *conf);


/*
 * Hands a query over.  NGX_OK: query's handler is called later, once, never
 * from within this call.  NGX_BUSY: the queue is full.  NGX_DECLINED: the
 * database is known to be away.  In the last two cases nothing is kept.
 */

ngx_int_t tournament_pg_send(tournament_pg_t *pg,
    tournament_pg_query_t *query);


/*
 * Takes back a query that was not sent yet: NGX_OK, its handler will not be
 * called.  NGX_DECLINED: it is under way, and its handler will be, or is being
 * called; until attend() an exit does not wait for it.  attend: somebody waits
 * for it, also where it was begun in the background.
 */

ngx_int_t tournament_pg_cancel(tournament_pg_query_t *query);
void tournament_pg_attend(tournament_pg_query_t *query);


/* Takes a query back, also where it is under way: nobody hears its result. */

void tournament_pg_forget(tournament_pg_query_t *query);


/* The index in conf->targets of the address of the first connection. */

ngx_uint_t tournament_pg_target(tournament_pg_t *pg);


/* Calls the hook gauges, as this room does by itself when they change. */

void tournament_pg_report(tournament_pg_t *pg);


/*
 * Which server the first connection leads to, told by its start: 0 as long as
 * it is not known.  elsewhere: whether some connection leads to another one.
 */

uint64_t tournament_pg_server(tournament_pg_t *pg);
ngx_uint_t tournament_pg_elsewhere(tournament_pg_t *pg, uint64_t server);


/* Opens anew the idle connections that lead to another server. */

void tournament_pg_return(tournament_pg_t *pg, uint64_t server);


/*
 * Gives up the connection that has the least to do, once a second at most: a
 * more urgent one finds no room.
 */

void tournament_pg_yield(tournament_pg_t *pg);


/* The time, us, of a clock that nobody sets. */

uint64_t tournament_pg_now(void);


/*
 * Whether the database is known to be away now: no connection is open, and as
 * many attempts to open one have failed since as there are connections and
 * addresses.
 */

ngx_uint_t tournament_pg_away(tournament_pg_t *pg);


/* Closes all connections, calling no handlers: the process exits. */

void tournament_pg_destroy(tournament_pg_t *pg);


#endif /* _TOURNAMENT_PG_H_INCLUDED_ */
