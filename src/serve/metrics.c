
/*
 * Whoever counts adds to a slot of the zone's annex and never waits; whoever
 * asks adds the slots up.  The slow log is limited to a line a second for each
 * worker, and says how many it has left out.
 */

#include "serve/metrics.h"


#define TOURNAMENT_METRICS_LINE    64

/* the annex is so much of the zone at most */
#define TOURNAMENT_METRICS_SHARE   32

/* ms; slow queries and requests are logged at most once in this time */
#define TOURNAMENT_METRICS_PAUSE   1000

#define TOURNAMENT_METRICS_GAUGES                                             \
    ngx_align(TOURNAMENT_WORKERS                                              \
              * sizeof(tournament_gauges_t),                                  \
              TOURNAMENT_METRICS_LINE)

#define TOURNAMENT_METRICS_SLOT                                               \
    ngx_align(sizeof(tournament_counters_t),                                  \
              TOURNAMENT_METRICS_LINE)


static tournament_counters_t *tournament_metrics_slot(
    tournament_metrics_t *metrics, ngx_uint_t n);
static ngx_uint_t tournament_metrics_slots(tournament_metrics_t *metrics);
static void tournament_metrics_refused(void *data);
static void tournament_metrics_changed(void *data,
    tournament_pg_gauges_t *gauges);
static void tournament_metrics_ended(void *data, tournament_pg_query_t *query,
    tournament_pg_rc_e rc);
static void tournament_metrics_slow(tournament_metrics_t *metrics,
    const char *what, const char *name, u_char *key, uint64_t start,
    uint64_t end, tournament_pg_times_t *times);
static uint64_t tournament_metrics_overlap(uint64_t start, uint64_t end,
    uint64_t from, uint64_t to);
static u_char *tournament_metrics_text(u_char *p, u_char *last,
    const char *text);


tournament_bound_t
    tournament_bounds[TOURNAMENT_BUCKETS] =
{
    { 500, ngx_string("0.0005") },
    { 1000, ngx_string("0.001") },
    { 2500, ngx_string("0.0025") },
    { 5000, ngx_string("0.005") },
    { 10000, ngx_string("0.01") },
    { 25000, ngx_string("0.025") },
    { 50000, ngx_string("0.05") },
    { 100000, ngx_string("0.1") },
    { 250000, ngx_string("0.25") },
    { 500000, ngx_string("0.5") },
    { 1000000, ngx_string("1") },
    { 2500000, ngx_string("2.5") },
    { (uint64_t) -1, ngx_string("+Inf") }
};


size_t
tournament_metrics_size(size_t zone)
{
    ngx_uint_t  slots;

    slots = zone / TOURNAMENT_METRICS_SHARE;
    slots -= ngx_min(slots, TOURNAMENT_METRICS_GAUGES);
    slots /= TOURNAMENT_METRICS_SLOT;

    slots = ngx_max(slots, 1);
    slots = ngx_min(slots, TOURNAMENT_WORKERS);

    return TOURNAMENT_METRICS_GAUGES
           + slots * TOURNAMENT_METRICS_SLOT;
}


tournament_metrics_t *
tournament_metrics_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_zone_t *zone, ngx_msec_t slow)
{
    tournament_metrics_t  *metrics;

    metrics = ngx_pcalloc(pool, sizeof(tournament_metrics_t));
    if (metrics == NULL) {
        return NULL;
    }

    metrics->log = log;
    metrics->zone = zone;
    metrics->slow = slow;

    tournament_metrics_join(metrics, NGX_ERROR);

    return metrics;
}


void
tournament_metrics_join(tournament_metrics_t *metrics, ngx_int_t number)
{
    tournament_gauges_t  *gauges;

    /* without a number it shares a slot: any one will do */

    metrics->counters = tournament_metrics_slot(metrics,
                                                number == NGX_ERROR
                                                ? ngx_pid : number);
    if (number == NGX_ERROR) {
        return;
    }

    gauges = metrics->zone->annex;
    gauges += number;

    ngx_memzero(gauges, sizeof(tournament_gauges_t));

    metrics->gauges = gauges;
}


static tournament_counters_t *
tournament_metrics_slot(tournament_metrics_t *metrics, ngx_uint_t n)
{
    u_char  *p;

    p = metrics->zone->annex;
    p += TOURNAMENT_METRICS_GAUGES;

    n %= tournament_metrics_slots(metrics);

    return (tournament_counters_t *)
               (p + n * TOURNAMENT_METRICS_SLOT);
}


static ngx_uint_t
tournament_metrics_slots(tournament_metrics_t *metrics)
{
    return (metrics->zone->annex_size - TOURNAMENT_METRICS_GAUGES)
           / TOURNAMENT_METRICS_SLOT;
}


void
tournament_metrics_observe(tournament_histogram_t *histogram, uint64_t us)
{
    ngx_uint_t  i;

    for (i = 0; us > tournament_bounds[i].us; i++) { /* void */ }

    tournament_metrics_add(&histogram->buckets[i]);

    tournament_atomic_add(&histogram->sum, us);
}


/* a worker alone writes its gauges, as nobody else does */

void
tournament_metrics_begun(tournament_metrics_t *metrics, ngx_uint_t number)
{
    if (metrics->gauges) {
        tournament_atomic_add(&metrics->gauges->streams[number], 1);
    }
}


void
tournament_metrics_over(tournament_metrics_t *metrics, ngx_uint_t number,
    tournament_end_e end)
{
    tournament_metrics_add(&metrics->counters->ends[end]);

    if (metrics->gauges) {
        tournament_atomic_add(&metrics->gauges->streams[number], -1);
    }
}


void
tournament_metrics_waiting(tournament_metrics_t *metrics, int n)
{
    if (metrics->gauges) {
        tournament_atomic_add(&metrics->gauges->waiting, n);
    }
}


void
tournament_metrics_follow(tournament_metrics_t *metrics,
    tournament_pg_conf_t *conf)
{
    metrics->statements = conf->statements;

    conf->meter.ended = tournament_metrics_ended;
    conf->meter.refused = tournament_metrics_refused;
    conf->meter.gauges = tournament_metrics_changed;
    conf->meter.data = metrics;
}


static void
tournament_metrics_refused(void *data)
{
    tournament_metrics_t  *metrics = data;

    tournament_metrics_add(&metrics->counters->refused);
}


static void
tournament_metrics_changed(void *data, tournament_pg_gauges_t *gauges)
{
    tournament_gauges_t   *to;
    tournament_metrics_t  *metrics = data;

    to = metrics->gauges;

    if (to == NULL) {
        return;
    }

    to->ready = gauges->ready;
    to->connecting = gauges->connecting;
    to->down = gauges->down;
    to->queued = gauges->queued;
    to->in_flight = gauges->in_flight;
}


/*
 * Counts a query that has ended, and logs it if it was slow; one in the
 * background never is.
 */

static void
tournament_metrics_ended(void *data, tournament_pg_query_t *query,
    tournament_pg_rc_e rc)
{
    u_char                      key[TOURNAMENT_METRICS_TEXT];
    u_char                     *p, *last;
    ngx_uint_t                  i;
    tournament_pg_times_t      *times;
    tournament_counters_t      *counters;
    tournament_metrics_t       *metrics = data;
    tournament_pg_statement_t  *statement;

    counters = metrics->counters;
    times = &query->times;

    tournament_metrics_add(&counters->queries);

    if (rc == TOURNAMENT_PG_TIMEOUT) {
        tournament_metrics_add(&counters->timeouts);

    } else if (rc != TOURNAMENT_PG_OK) {
        tournament_metrics_add(&counters->errors);
    }

    if (times->sent) {
        tournament_metrics_observe(&counters->latency,
                                   times->done - times->sent);
    }

    if (metrics->slow == 0 || query->background
        || (times->done - times->handed) / 1000 < metrics->slow)
    {
        return;
    }

    tournament_metrics_add(&counters->slow);

    statement = metrics->statements[query->statement];

    p = key;
    last = key + sizeof(key);
    *p = '\0';

    for (i = 0; i < statement->nparams; i++) {
        p = tournament_metrics_text(p, last, i ? "," : "");
        p = tournament_metrics_text(p, last, query->values[i]);
    }

    /* statements are named after endpoints */

    tournament_metrics_slow(metrics, "query",
                            statement->name
                            + sizeof("tournament_") - 1, key,
                            times->handed, times->done, times);
}


void
tournament_metrics_waited(tournament_metrics_t *metrics,
    tournament_endpoint_t *endpoint,
    tournament_key_t *key, uint64_t start, tournament_pg_times_t *times)
{
    u_char    text[TOURNAMENT_METRICS_TEXT];
    uint64_t  now;

    now = tournament_pg_now();

    tournament_metrics_observe(&metrics->counters->misses, now - start);

    /* where its query was slow, the query's line has said so */

    if (metrics->slow == 0 || (now - start) / 1000 < metrics->slow
        || (times->done - times->handed) / 1000 >= metrics->slow)
    {
        return;
    }

    tournament_metrics_slow(metrics, "request",
                            (char *) endpoint->name.data,
                            tournament_metrics_key(text, key), start, now,
                            times);
}


/*
 * What it waited for between start and end: a connection to be there, its
 * turn, the database.  The rest a request spent on a query of another worker,
 * or an earlier one of this.
 */

static void
tournament_metrics_slow(tournament_metrics_t *metrics, const char *what,
    const char *name, u_char *key, uint64_t start, uint64_t end,
    tournament_pg_times_t *times)
{
    u_char      more[sizeof(", more slow ones since the last such line")
                     + NGX_INT_T_LEN];
    uint64_t    connect, queue, query, sent;
    ngx_uint_t  held;
    ngx_msec_t  now;

    now = (ngx_msec_t) (end / 1000);

    if (!tournament_limit_pass(&metrics->limit, now, TOURNAMENT_METRICS_PAUSE,
                               &held))
    {
        return;
    }

    sent = times->sent ? times->sent : times->done;

    connect = tournament_metrics_overlap(start, end, times->handed,
                                         times->connected);
    queue = tournament_metrics_overlap(start, end, times->handed, sent)
            - connect;
    query = tournament_metrics_overlap(start, end, sent, times->done);

    *more = '\0';

    if (held) {
        ngx_sprintf(more, ", %ui more slow ones since the last such line%Z",
                    held);
    }

    ngx_log_error(NGX_LOG_WARN, metrics->log, 0,
                  "tournament: slow %s \"%s\", key \"%s\": %uL ms (connect "
                  "%uL, queue %uL, query %uL, other queries %uL)%s",
                  what, name, key, (end - start) / 1000, connect / 1000,
                  queue / 1000, query / 1000,
                  (end - start - connect - queue - query) / 1000, more);
}


static uint64_t
tournament_metrics_overlap(uint64_t start, uint64_t end, uint64_t from,
    uint64_t to)
{
    from = ngx_max(from, start);
    to = ngx_min(to, end);

    return from < to ? to - from : 0;
}


u_char *
tournament_metrics_key(u_char *buf, tournament_key_t *key)
{
    size_t   i;
    u_char  *p, *last;

    p = buf;
    last = buf + TOURNAMENT_METRICS_TEXT;
    *p = '\0';

    for (i = TOURNAMENT_KEY_PREFIX; i < key->len;
         i += ngx_strlen(key->data + i) + 1)
    {
        p = tournament_metrics_text(p, last,
                                    i == TOURNAMENT_KEY_PREFIX ? "" : ",");
        p = tournament_metrics_text(p, last, (char *) key->data + i);
    }

    return buf;
}


/* what does not fit is left out, and dots say so; NUL stands at the end */

static u_char *
tournament_metrics_text(u_char *p, u_char *last, const char *text)
{
    u_char  ch;

    for ( /* void */ ; *text; text++) {

        if (last - p < (ssize_t) sizeof("\\xff...")) {
            (void) ngx_cpystrn(p, (u_char *) "...", last - p);
            break;
        }

        ch = (u_char) *text;

        if (ch < 0x20 || ch > 0x7e || ch == '"' || ch == '\\') {
            p = ngx_sprintf(p, "\\x%02xd", (u_int) ch);

        } else {
            *p++ = ch;
        }

        *p = '\0';
    }

    return p;
}


void
tournament_metrics_sum(tournament_metrics_t *metrics,
    tournament_counters_t *total)
{
    uint64_t    *slot, *sum;
    ngx_uint_t   i, n, slots;

    ngx_memzero(total, sizeof(tournament_counters_t));

    /* it is nothing but counters of 64 bits */

    sum = (uint64_t *) total;
    n = sizeof(tournament_counters_t) / sizeof(uint64_t);
    slots = tournament_metrics_slots(metrics);

    while (slots--) {
        slot = (uint64_t *) tournament_metrics_slot(metrics, slots);

        for (i = 0; i < n; i++) {
            sum[i] += tournament_atomic_peek(&slot[i]);
        }
    }
}


ngx_int_t
tournament_metrics_gauges(tournament_metrics_t *metrics, ngx_uint_t number,
    tournament_gauges_t *gauges)
{
    ngx_uint_t            i;
    tournament_gauges_t  *g;

    gauges->worker = tournament_workers_at(metrics->zone->workers, number);

    if (gauges->worker == 0) {
        return NGX_DECLINED;
    }

    g = metrics->zone->annex;
    g += number;

    gauges->ready = tournament_atomic_peek(&g->ready);
    gauges->connecting = tournament_atomic_peek(&g->connecting);
    gauges->down = tournament_atomic_peek(&g->down);
    gauges->queued = tournament_atomic_peek(&g->queued);
    gauges->in_flight = tournament_atomic_peek(&g->in_flight);
    gauges->waiting = tournament_atomic_peek(&g->waiting);

    for (i = 0; i < TOURNAMENT_ENDPOINTS; i++) {
        gauges->streams[i] = tournament_atomic_peek(&g->streams[i]);
    }

    return NGX_OK;
}
