
/*
 * The transactions of a stream of logical messages.  Those whose commit has
 * come wait until others see them: their tokens take effect then, and not
 * before.
 */

#ifndef _TOURNAMENT_CHANGES_H_INCLUDED_
#define _TOURNAMENT_CHANGES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "feed/payload.h"
#include "feed/session.h"


typedef struct tournament_changes_s  tournament_changes_t;


/*
 * token is called for each token that takes effect, applied after some of
 * them, failed where the server gives no answer.  Of these only token is
 * called from within begin(), message() and commit().
 */

typedef struct {
    ngx_log_t                 *log;
    tournament_session_t      *session;     /* on the stream's server */
    ngx_uint_t                 statement;   /* its tournament_changes_visible */

    void                     (*token)(void *data, tournament_token_t *token);
    void                      *token_data;
    void                     (*applied)(void *data);
    void                     (*failed)(void *data);
    void                      *data;
} tournament_changes_conf_t;


extern tournament_pg_statement_t  tournament_changes_visible;


/* conf is copied, memory is pool's.  NULL: no memory. */

tournament_changes_t *tournament_changes_create(ngx_pool_t *pool,
    tournament_changes_conf_t *conf);
void tournament_changes_destroy(tournament_changes_t *changes);


/*
 * What the stream has: the beginning of a transaction, whose xid is the low
 * half of its xid8; a message of len bytes in it; its commit, whose record is
 * at lsn, at an instant in us.  commit() returns NGX_ERROR where memory is
 * short.
 */

void tournament_changes_begin(tournament_changes_t *changes, uint32_t xid);
void tournament_changes_message(tournament_changes_t *changes,
    const u_char *content, size_t len);
ngx_int_t tournament_changes_commit(tournament_changes_t *changes,
    uint64_t lsn, int64_t time);


/* Whether a transaction has begun, and its commit has not come. */

ngx_uint_t tournament_changes_within(tournament_changes_t *changes);


/*
 * The LSN of the first commit that waits, and its instant in *time; 0: none
 * does.
 */

uint64_t tournament_changes_waiting(tournament_changes_t *changes,
    int64_t *time);


#endif /* _TOURNAMENT_CHANGES_H_INCLUDED_ */
