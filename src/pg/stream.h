
/*
 * A connection that carries a replication stream: commands in the simple
 * protocol, one at a time, and what START_REPLICATION begins, CopyData in both
 * directions.  What the bytes mean is its owner's business.
 *
 * A stream lives once: it connects to one address, and when it is lost its
 * owner makes another one, after a pause of the owner's choice.
 */

#ifndef _TOURNAMENT_STREAM_H_INCLUDED_
#define _TOURNAMENT_STREAM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <libpq-fe.h>

#include "pg/conninfo.h"


typedef struct tournament_stream_s  tournament_stream_t;


/*
 * conf is kept, and must live as long as the stream.
 *
 * extra is NULL or has the arrays of keywords and values, NULL-terminated, of
 * what is added to the target's own: "replication", "application_name".  They
 * replace the target's; "options" are added to those of the target.
 *
 * The hooks are called from the event loop, never from within a function of
 * this room.  destroy() may be called from within lost() alone.
 *
 * ready    it is connected, and takes a command
 * result   a result of the command: PGRES_TUPLES_OK, PGRES_COMMAND_OK,
 *          PGRES_FATAL_ERROR (tournament_errors_sqlstate() tells which),
 *          PGRES_COPY_BOTH: CopyData flows from now on.  It is freed after the
 *          hook.  res is NULL: there are no more, the command has ended, and
 *          the next one may be sent, from within the hook, too
 * copy     one CopyData of len bytes, good until the hook returns
 * lost     refused, timed out or lost, and closed; the reason is a line for
 *          the owner's log.  Nothing is called after it
 */

typedef struct {
    ngx_array_t          *targets;          /* tournament_target_t */
    ngx_uint_t            target;           /* index of the one to use */
    ngx_msec_t            connect_timeout;
    tournament_target_t  *extra;

    void                (*ready)(void *data);
    void                (*result)(void *data, PGresult *res);
    void                (*copy)(void *data, u_char *buf, size_t len);
    void                (*lost)(void *data, const char *reason);
    void                 *data;
} tournament_stream_conf_t;


/*
 * Makes a stream that begins to connect in the next turn of the event loop.
 * Its memory is pool's, which must live until destroy().  NULL: no memory.
 */

tournament_stream_t *tournament_stream_create(ngx_pool_t *pool,
    ngx_log_t *log, tournament_stream_conf_t *conf);


/*
 * Sends a command.  NGX_OK: result() will be called.  NGX_BUSY: one is under
 * way, or it is not connected.  NGX_ERROR: lost() will be called.
 */

ngx_int_t tournament_stream_command(tournament_stream_t *stream,
    const char *sql);


/*
 * Sends len bytes as one CopyData, while COPY_BOTH lasts.  NGX_AGAIN: what was
 * sent before is still waiting for the socket, and nothing is kept of this.
 * NGX_BUSY: no CopyData flows.  NGX_ERROR: lost() will be called.
 */

ngx_int_t tournament_stream_send(tournament_stream_t *stream, u_char *buf,
    size_t len);


/*
 * The SQLSTATE of why it was refused, for lost(); "": libpq's own reason, or
 * none.
 */

const char *tournament_stream_sqlstate(tournament_stream_t *stream);


/* Closes it, calling no hook. */

void tournament_stream_destroy(tournament_stream_t *stream);


#endif /* _TOURNAMENT_STREAM_H_INCLUDED_ */
