
/*
 * libpq owns its socket, closes it and may open another one under the same
 * number: the events are taken off before PQconnectPoll() and added anew after
 * it, level-triggered, and nginx never closes the descriptor.
 *
 *     closed      -> connecting   connect()
 *     connecting  -> open         poll(): libpq says that it is connected
 *     any         -> closed       close(), of its owner, which the hook lost
 *                                 has told why
 *
 * A peer that sends without a pause gets a turn like everybody else, and what
 * it sends is counted until it has an end.
 */

#include "pg/errors.h"
#include "pg/link.h"


#define TOURNAMENT_LINK_MAX_OPTIONS  80

/* with TLS: reads after the last one that found something in the socket */
#define TOURNAMENT_LINK_TLS_READS    3

/* reads in a turn of the event loop, of 8k to 16k, or of a whole row */
#define TOURNAMENT_LINK_READS        16

/*
 * bytes that a read takes at least while there are more: libpq makes room for
 * so many, but with TLS it reads a record at a time, however short
 */
#define TOURNAMENT_LINK_READ         8192
#define TOURNAMENT_LINK_READ_TLS     512

/* bytes; nothing larger is waited for to its end */
#define TOURNAMENT_LINK_ARRIVED_MAX  (32 * 1024 * 1024)


static ngx_int_t tournament_link_params(tournament_link_t *link,
    tournament_target_t *target, tournament_target_t *extra);
static ngx_uint_t tournament_link_replace(const char **keywords,
    const char *keyword);
static void tournament_link_poll(tournament_link_t *link,
    PostgresPollingStatusType rc);
static char *tournament_link_refused(tournament_link_t *link);
static void tournament_link_timeout(ngx_event_t *ev);
static ngx_int_t tournament_link_watch(tournament_link_t *link);
static void tournament_link_unwatch(tournament_link_t *link);
static ngx_int_t tournament_link_want(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t on);
static void tournament_link_event(ngx_event_t *ev);
static void tournament_link_turn(tournament_link_t *link);
static ngx_int_t tournament_link_consume(tournament_link_t *link,
    ngx_uint_t tls);
static ngx_uint_t tournament_link_read(tournament_link_t *link,
    ngx_uint_t tls);
static size_t tournament_link_waiting(tournament_link_t *link);
static void tournament_link_parsed(tournament_link_t *link);
static void tournament_link_notice(void *data, const PGresult *res);


void
tournament_link_init(tournament_link_t *link, ngx_log_t *log,
    const tournament_link_hooks_t *hooks, void *data)
{
    link->log = log;
    link->hooks = hooks;
    link->data = data;

    link->timer.handler = tournament_link_timeout;
    link->timer.data = link;
    link->timer.log = log;
    link->timer.cancelable = 1;
}


void
tournament_link_connect(tournament_link_t *link, tournament_target_t *target,
    tournament_target_t *extra, ngx_msec_t timeout)
{
    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, link->log, 0,
                   "tournament link to \"%V\"", &target->name);

    link->last_words[0] = '\0';
    link->sqlstate[0] = '\0';
    link->starved = 0;

    if (tournament_link_params(link, target, extra) != NGX_OK) {
        link->hooks->lost(link->data, "out of memory");
        return;
    }

    if (PQstatus(link->conn) == CONNECTION_BAD) {
        link->hooks->lost(link->data, PQerrorMessage(link->conn));
        return;
    }

    PQsetNoticeReceiver(link->conn, tournament_link_notice, link);

    /* with the SQLSTATE of a refusal, which libpq has no function for */
    (void) PQsetErrorVerbosity(link->conn, PQERRORS_VERBOSE);

    ngx_add_timer(&link->timer, timeout);

    /* libpq says to act as if the last PQconnectPoll() had returned this */

    tournament_link_poll(link, PGRES_POLLING_WRITING);
}


static ngx_int_t
tournament_link_params(tournament_link_t *link, tournament_target_t *target,
    tournament_target_t *extra)
{
    u_char       options[1024];
    ngx_uint_t   i, k, n;
    const char  *keywords[TOURNAMENT_LINK_MAX_OPTIONS + 1];
    const char  *values[TOURNAMENT_LINK_MAX_OPTIONS + 1];

    if (extra == NULL) {
        link->conn = PQconnectStartParams(target->keywords, target->values, 0);
        return link->conn ? NGX_OK : NGX_ERROR;
    }

    for (n = 0; target->keywords[n]; n++) {
        keywords[n] = target->keywords[n];
        values[n] = target->values[n];
    }

    keywords[n] = NULL;

    for (i = 0; extra->keywords[i] && n < TOURNAMENT_LINK_MAX_OPTIONS; i++) {
        k = tournament_link_replace(keywords, extra->keywords[i]);

        if (k == n) {
            keywords[++n] = NULL;

        } else if (ngx_strcmp(keywords[k], "options") == 0) {
            ngx_snprintf(options, sizeof(options), "%s %s%Z", values[k],
                         extra->values[i]);
            options[sizeof(options) - 1] = '\0';

            values[k] = (char *) options;
            continue;
        }

        keywords[k] = extra->keywords[i];
        values[k] = extra->values[i];
    }

    values[n] = NULL;

    link->conn = PQconnectStartParams(keywords, values, 0);

    return link->conn ? NGX_OK : NGX_ERROR;
}


/* where a keyword stands, or else the end */

static ngx_uint_t
tournament_link_replace(const char **keywords, const char *keyword)
{
    ngx_uint_t  i;

    for (i = 0; keywords[i]; i++) {
        if (ngx_strcmp(keywords[i], keyword) == 0) {
            break;
        }
    }

    return i;
}


static void
tournament_link_poll(tournament_link_t *link, PostgresPollingStatusType rc)
{
    ngx_event_t  *ev;

    if (rc == PGRES_POLLING_FAILED) {
        link->hooks->lost(link->data, tournament_link_refused(link));
        return;
    }

    if (tournament_link_watch(link) != NGX_OK) {
        link->hooks->lost(link->data, "no free worker connection");
        return;
    }

    if (rc == PGRES_POLLING_OK) {

        if (PQsetnonblocking(link->conn, 1) != 0
            || tournament_link_want(link->c->read, NGX_READ_EVENT, 1)
               != NGX_OK)
        {
            link->hooks->lost(link->data, PQerrorMessage(link->conn));
            return;
        }

        (void) PQsetErrorVerbosity(link->conn, PQERRORS_DEFAULT);

        ngx_del_timer(&link->timer);
        link->open = 1;
        tournament_link_ended(link);

        /* no event tells of what came with the last word of the connecting */

        ngx_post_event(link->c->read, &ngx_posted_events);

        link->hooks->open(link->data);
        return;
    }

    ev = (rc == PGRES_POLLING_READING) ? link->c->read : link->c->write;

    if (tournament_link_want(ev, ev->write ? NGX_WRITE_EVENT : NGX_READ_EVENT,
                             1)
        != NGX_OK)
    {
        link->hooks->lost(link->data, "cannot wait for its socket");
    }
}


/* moves the SQLSTATE out of the message: "...FATAL:  53300: too many ..." */

static char *
tournament_link_refused(tournament_link_t *link)
{
    char        *message, *from;
    ngx_uint_t   n;
    const char  *p;

    message = PQerrorMessage(link->conn);

    for (p = message; (p = ngx_strstr(p, ":  ")) != NULL; p++) {
        from = message + (p - message) + 3;

        for (n = 0; n < 5; n++) {
            if (!((from[n] >= '0' && from[n] <= '9')
                  || (from[n] >= 'A' && from[n] <= 'Z')))
            {
                break;
            }
        }

        if (n == 5 && from[5] == ':' && from[6] == ' ') {
            ngx_memcpy(link->sqlstate, from, 5);
            ngx_memmove(from, from + 7, ngx_strlen(from + 7) + 1);
            break;
        }
    }

    return message;
}


static void
tournament_link_timeout(ngx_event_t *ev)
{
    tournament_link_t  *link;

    link = ev->data;

    link->hooks->lost(link->data, "timed out while connecting");
}


void
tournament_link_close(tournament_link_t *link)
{
    if (link->conn) {
        tournament_link_unwatch(link);
        PQfinish(link->conn);
        link->conn = NULL;
    }

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    link->open = 0;
    link->more = 0;
}


/* gives libpq's socket a connection of nginx */

static ngx_int_t
tournament_link_watch(tournament_link_t *link)
{
    ngx_connection_t  *c;

    if (link->c) {
        return NGX_OK;
    }

    c = ngx_get_connection(PQsocket(link->conn), link->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = link;
    c->log = link->log;
    c->idle = 1;

    c->read->log = c->log;
    c->read->handler = tournament_link_event;
    c->write->log = c->log;
    c->write->handler = tournament_link_event;

    link->c = c;

    return NGX_OK;
}


/* the socket is libpq's to close */

static void
tournament_link_unwatch(tournament_link_t *link)
{
    ngx_int_t          flags;
    ngx_connection_t  *c;

    c = link->c;

    if (c == NULL) {
        return;
    }

    /* libpq closes a socket that has failed, and its events went with it */

    flags = (PQsocket(link->conn) == c->fd) ? 0 : NGX_CLOSE_EVENT;

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, flags);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    link->c = NULL;
}


static ngx_int_t
tournament_link_want(ngx_event_t *ev, ngx_int_t event, ngx_uint_t on)
{
    if (on == ev->active) {
        return NGX_OK;
    }

    if (on) {
        return ngx_add_event(ev, event, NGX_LEVEL_EVENT);
    }

    return ngx_del_event(ev, event, 0);
}


ngx_int_t
tournament_link_flush(tournament_link_t *link)
{
    int  rc;

    rc = PQflush(link->conn);

    /* one without events is about to be lost */

    if (rc == -1 || link->c == NULL) {
        return NGX_ERROR;
    }

    return tournament_link_want(link->c->write, NGX_WRITE_EVENT, rc == 1);
}


ngx_uint_t
tournament_link_unsent(tournament_link_t *link)
{
    return link->c == NULL || link->c->write->active;
}


static void
tournament_link_event(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    tournament_link_t          *link;
    PostgresPollingStatusType   rc;

    c = ev->data;
    link = c->data;

    if (c->close) {

        c->close = 0;

        if (link->hooks->exiting) {
            link->hooks->exiting(link->data);
        }

        return;
    }

    if (!link->open) {
        tournament_link_unwatch(link);

        rc = PQconnectPoll(link->conn);

        tournament_link_poll(link, rc);
        return;
    }

    if (ev->write && tournament_link_flush(link) != NGX_OK) {
        link->hooks->lost(link->data, PQerrorMessage(link->conn));
        return;
    }

    /* as it waits for room to write libpq reads, and no event tells */

    tournament_link_turn(link);
}


/*
 * With TLS bytes of a record, 16k at most, may be left inside OpenSSL where no
 * event tells of them.  libpq reads 8k at least each time: once the socket is
 * empty, a few more reads take all that there is.  A server that sends without
 * a pause gets its next turn after everybody else's.
 */

static void
tournament_link_turn(tournament_link_t *link)
{
    ngx_int_t   rc;
    ngx_uint_t  n, left, tls;

    tls = PQsslInUse(link->conn);
    left = tls ? TOURNAMENT_LINK_TLS_READS : 1;

    for (n = 0; left; n++, left--) {

        rc = NGX_AGAIN;

        if (n < TOURNAMENT_LINK_READS) {
            rc = tournament_link_consume(link, tls);
        }

        if (rc == NGX_DONE) {
            return;
        }

        if (rc == NGX_AGAIN) {
            ngx_post_event(link->c->read, &ngx_posted_next_events);
            break;
        }

        if (tls && tournament_link_waiting(link)) {
            left = TOURNAMENT_LINK_TLS_READS + 1;
        }
    }

    if (link->hooks->turn) {
        link->hooks->turn(link->data);
    }
}


/* reads once; returns as the hook input does */

static ngx_int_t
tournament_link_consume(tournament_link_t *link, ngx_uint_t tls)
{
    ngx_int_t  rc;

    if (tournament_link_read(link, tls)) {

        rc = link->hooks->input(link->data);

        if (rc == NGX_DONE) {
            return NGX_DONE;
        }

        if (PQstatus(link->conn) == CONNECTION_OK) {
            link->more = (rc == NGX_AGAIN);
            return rc;
        }
    }

    /* the socket's number may be another's once handlers have run */

    tournament_link_unwatch(link);

    /* what came before the loss counts; so do last words */

    do {
        rc = link->hooks->input(link->data);
    } while (rc == NGX_AGAIN);

    if (rc == NGX_OK) {
        link->hooks->lost(link->data, link->last_words[0]
                                      ? (char *) link->last_words
                                      : PQerrorMessage(link->conn));
    }

    return NGX_DONE;
}


/* 0: the connection is lost */

static ngx_uint_t
tournament_link_read(tournament_link_t *link, ngx_uint_t tls)
{
    size_t      least, before, after;
    ngx_uint_t  ok;

    if (link->more) {

        /* what has been read comes first, or libpq's buffer would grow */

        link->more = 0;
        return 1;
    }

    /* most results come with the first read, and are not counted */

    before = link->reads++ ? tournament_link_waiting(link) : 0;

    ok = (PQconsumeInput(link->conn) == 1);

    if (before) {
        after = tournament_link_waiting(link);
        least = tls ? TOURNAMENT_LINK_READ_TLS : TOURNAMENT_LINK_READ;
        least = ngx_min(before, least);

        link->arrived += (before > after + least) ? before - after : least;
    }

    return ok;
}


/* bytes in the socket */

static size_t
tournament_link_waiting(tournament_link_t *link)
{
    int  n;

    if (ngx_socket_nread(PQsocket(link->conn), &n) == -1 || n < 0) {
        return 0;
    }

    return n;
}


void
tournament_link_ended(tournament_link_t *link)
{
    link->reads = 0;
    link->arrived = 0;
}


ngx_uint_t
tournament_link_endless(tournament_link_t *link)
{
    return link->arrived > TOURNAMENT_LINK_ARRIVED_MAX;
}


ngx_uint_t
tournament_link_busy(tournament_link_t *link)
{
    ngx_uint_t  busy;

    ngx_set_errno(0);
    busy = PQisBusy(link->conn);
    tournament_link_parsed(link);

    return busy;
}


PGresult *
tournament_link_result(tournament_link_t *link)
{
    PGresult  *res;

    ngx_set_errno(0);
    res = PQgetResult(link->conn);
    tournament_link_parsed(link);

    return res;
}


PGnotify *
tournament_link_notification(tournament_link_t *link)
{
    PGnotify  *n;

    ngx_set_errno(0);
    n = PQnotifies(link->conn);
    tournament_link_parsed(link);

    return n;
}


/* malloc() leaves this behind, and nothing in between reads or writes */

static void
tournament_link_parsed(tournament_link_t *link)
{
    if (ngx_errno == NGX_ENOMEM) {
        link->starved = 1;
    }
}


static void
tournament_link_notice(void *data, const PGresult *res)
{
    char               *message;
    tournament_link_t  *link = data;

    /* with no query under way an error is a notice for libpq */

    message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

    if (message
        && PQresultErrorField(res, PG_DIAG_SQLSTATE)
        && tournament_errors_fatal(res))
    {
        (void) ngx_cpystrn(link->last_words, (u_char *) message,
                           sizeof(link->last_words));
    }

    link->hooks->notice(link->data, res);
}
