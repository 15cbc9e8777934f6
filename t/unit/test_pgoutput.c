
/*
 * The stream of a walsender, and the payloads in it.  The oracle are bytes
 * that PostgreSQL 15 sent for a transaction with two messages, a row and a
 * type of its own, and messages built here field by field, by bit shifts that
 * share nothing with the reader.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

#include "feed/payload.h"
#include "feed/pgoutput.h"
#include "feed/snapshot.h"


/* XLogData's own: type, start, end, clock */
#define HEADER  25

#define END     UINT64_C(0x1529fd0)
#define CLOCK   INT64_C(849284470467328)
#define EPOCH   INT64_C(946684800000000)

#define UNTOUCHED  0x7e


typedef struct {
    unsigned char  bytes[512];
    size_t         len;
} packet_t;


static tournament_pgoutput_t  event;


static void
put(packet_t *packet, uint64_t n, size_t size)
{
    while (size--) {
        packet->bytes[packet->len++] = (n >> (size * 8)) & 0xff;
    }
}


static void
put_text(packet_t *packet, const char *text, size_t len)
{
    memcpy(packet->bytes + packet->len, text, len);
    packet->len += len;
}


static packet_t
data(char type)
{
    packet_t  packet;

    packet.len = 0;

    put(&packet, 'w', 1);
    put(&packet, 1, 8);
    put(&packet, END, 8);
    put(&packet, CLOCK, 8);
    put(&packet, type, 1);

    return packet;
}


static packet_t
message(int flags, const char *prefix, const char *content, size_t len)
{
    packet_t  packet;

    packet = data('M');

    put(&packet, flags, 1);
    put(&packet, 77, 8);
    put_text(&packet, prefix, strlen(prefix) + 1);
    put(&packet, len, 4);
    put_text(&packet, content, len);

    return packet;
}


/* what pgoutput sent, in hexadecimal, as XLogData */

static packet_t
captured(const char *hex)
{
    unsigned  byte;
    packet_t  packet;

    packet = data(0);
    packet.len = HEADER;

    for ( /* void */ ; *hex; hex += 2) {
        ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
        put(&packet, byte, 1);
    }

    return packet;
}


/* reads a copy of the exact size, at every alignment, which must agree */

static const char *
read_bytes(const unsigned char *p, size_t len)
{
    size_t          shift;
    const char     *error, *first;
    unsigned char  *copy;

    first = tournament_pgoutput_read(&event, p, len);

    for (shift = 0; shift < 8; shift++) {
        copy = malloc(len + shift + 1);
        ck_assert_ptr_nonnull(copy);

        memcpy(copy + shift, p, len);
        error = tournament_pgoutput_read(&event, copy + shift, len);
        free(copy);

        ck_assert_ptr_eq(error, first);
    }

    return tournament_pgoutput_read(&event, p, len);
}


static void
check_read(const packet_t *packet, tournament_pgoutput_e type)
{
    const char  *error;

    error = read_bytes(packet->bytes, packet->len);

    if (error) {
        ck_abort_msg("%s", error);
    }

    ck_assert_int_eq(event.type, type);
    ck_assert_uint_eq(event.end, END);
    ck_assert_int_eq(event.clock, CLOCK + EPOCH);
}


static void
check_bytes(const unsigned char *p, size_t len, const char *text)
{
    ck_assert_uint_eq(len, strlen(text));
    ck_assert_mem_eq(p, text, len);
}


START_TEST(test_transaction)
{
    packet_t  packet;

    static const char  *others[] = {
        "59000040017075626c6963006d6f6f6400",
        "52000040057075626c69630074006400010169640000000017ffffffff",
        "49000040054e0003740000000131740000000161740000000568656c6c6f",
        "55000040054e0003740000000131740000000161740000000179",
        "44000040054b00037400000001316e6e",
        "54000000010000004005",
        "4f00000000015292006f7468657200"
    };

    packet = captured("4200000000015292000003041b6f945977000002d8");
    check_read(&packet, TOURNAMENT_PGOUTPUT_BEGIN);
    ck_assert_uint_eq(event.begin.commit, 0x1529200);
    ck_assert_int_eq(event.begin.time,
                     INT64_C(0x3041b6f945977) + EPOCH);
    ck_assert_uint_eq(event.begin.xid, 728);

    packet = captured("4d010000000001529010746f75726e616d656e745f617069"
                      "000000000e3732382074313220723132206d37");
    check_read(&packet, TOURNAMENT_PGOUTPUT_MESSAGE);
    ck_assert_int_eq(event.message.transactional, 1);
    ck_assert_uint_eq(event.message.lsn, 0x1529010);
    check_bytes(event.message.prefix, event.message.prefix_len,
                "tournament_api");
    check_bytes(event.message.content, event.message.content_len,
                "728 t12 r12 m7");

    packet = captured("4300000000000152920000000000015292380003041b6f945977");
    check_read(&packet, TOURNAMENT_PGOUTPUT_COMMIT);
    ck_assert_uint_eq(event.commit.commit, 0x1529200);
    ck_assert_uint_eq(event.commit.next, 0x1529238);
    ck_assert_int_eq(event.commit.time,
                     INT64_C(0x3041b6f945977) + EPOCH);

    packet = captured("4d0000000000015292786f7468657200000000036e6f77");
    check_read(&packet, TOURNAMENT_PGOUTPUT_MESSAGE);
    ck_assert_int_eq(event.message.transactional, 0);
    check_bytes(event.message.prefix, event.message.prefix_len, "other");
    check_bytes(event.message.content, event.message.content_len, "now");

    packet = captured("4d010000000001529fa00000000000");
    check_read(&packet, TOURNAMENT_PGOUTPUT_MESSAGE);
    ck_assert_uint_eq(event.message.prefix_len, 0);
    ck_assert_uint_eq(event.message.content_len, 0);

    packet = captured(others[_i]);
    check_read(&packet, TOURNAMENT_PGOUTPUT_OTHER);
}
END_TEST


START_TEST(test_keepalive)
{
    packet_t  packet;

    packet.len = 0;
    put(&packet, 'k', 1);
    put(&packet, END, 8);
    put(&packet, CLOCK, 8);
    put(&packet, _i, 1);

    check_read(&packet, TOURNAMENT_PGOUTPUT_KEEPALIVE);
    ck_assert_int_eq(event.keepalive.reply, _i != 0);
}
END_TEST


/* every one that has a length of its own, with every other length */

START_TEST(test_lengths)
{
    size_t       len;
    packet_t     packets[4], *packet;
    const char  *error;

    packets[0].len = 0;
    put(&packets[0], 'k', 1);
    put(&packets[0], END, 8);
    put(&packets[0], CLOCK, 8);
    put(&packets[0], 0, 1);

    packets[1] = data('B');
    put(&packets[1], 1, 8);
    put(&packets[1], 2, 8);
    put(&packets[1], 3, 4);

    packets[2] = data('C');
    put(&packets[2], 0, 1);
    put(&packets[2], 1, 8);
    put(&packets[2], 2, 8);
    put(&packets[2], 3, 8);

    packets[3] = message(1, "tournament_api", "1 t1", 4);

    packet = &packets[_i];
    memset(packet->bytes + packet->len, 0, 64);

    for (len = 0; len < packet->len + 64; len++) {

        error = read_bytes(packet->bytes, len);

        if (len == packet->len) {
            ck_assert_ptr_null(error);

        } else if (error == NULL || strlen(error) == 0) {
            ck_abort_msg("%zu bytes of %zu", len, packet->len);
        }
    }
}
END_TEST


/* a length inside of a message that is not what follows it */

START_TEST(test_message_length)
{
    packet_t  packet;

    static const uint32_t  lengths[] = {
        0, 1, 3, 5, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff
    };

    packet = message(1, "p", "1 t1", 4);
    packet.len -= 8;
    put(&packet, lengths[_i], 4);
    packet.len += 4;

    ck_assert_ptr_nonnull(read_bytes(packet.bytes, packet.len));
}
END_TEST


START_TEST(test_types)
{
    packet_t  packet;

    /* of XLogData: what has no fields that we know may be of any length */

    packet = data((char) _i);

    if (_i == 'B' || _i == 'C' || _i == 'M') {
        ck_assert_ptr_nonnull(read_bytes(packet.bytes, packet.len));

    } else {
        check_read(&packet, TOURNAMENT_PGOUTPUT_OTHER);
    }

    /* of CopyData */

    packet.bytes[0] = (unsigned char) _i;

    if (_i != 'w') {
        ck_assert_ptr_nonnull(read_bytes(packet.bytes, packet.len));
    }
}
END_TEST


/* every bit of flags, and bytes in the content that are no text */

START_TEST(test_message_any)
{
    packet_t  packet;

    packet = message(_i, "p", "a\0b\xff", 4);

    check_read(&packet, TOURNAMENT_PGOUTPUT_MESSAGE);
    ck_assert_int_eq(event.message.transactional, _i & 1);
    ck_assert_uint_eq(event.message.content_len, 4);
    ck_assert_mem_eq(event.message.content, "a\0b\xff", 4);
}
END_TEST


START_TEST(test_instants)
{
    size_t    i;
    packet_t  packet;

    static const struct {
        uint64_t  wire;
        int64_t   unix;
    } instants[] = {
        { 0, EPOCH },
        { 1, EPOCH + 1 },
        { UINT64_MAX, EPOCH - 1 },
        { UINT64_C(0x8000000000000000), INT64_MIN + EPOCH },
        { INT64_MAX, INT64_MAX },
        { INT64_MAX - EPOCH + 1, INT64_MAX },
        { INT64_MAX - EPOCH, INT64_MAX },
        { INT64_MAX - EPOCH - 1, INT64_MAX - 1 }
    };

    for (i = 0; i < sizeof(instants) / sizeof(instants[0]); i++) {
        packet = data('B');
        put(&packet, 1, 8);
        put(&packet, instants[i].wire, 8);
        put(&packet, 3, 4);

        check_read(&packet, TOURNAMENT_PGOUTPUT_BEGIN);
        ck_assert_int_eq(event.begin.time, instants[i].unix);
    }
}
END_TEST


START_TEST(test_status)
{
    packet_t       packet;
    unsigned char  dst[TOURNAMENT_PGOUTPUT_STATUS_LEN + 1];

    memset(dst, UNTOUCHED, sizeof(dst));

    tournament_pgoutput_status(dst, END, CLOCK + EPOCH, _i);

    packet.len = 0;
    put(&packet, 'r', 1);
    put(&packet, END, 8);
    put(&packet, END, 8);
    put(&packet, END, 8);
    put(&packet, CLOCK, 8);
    put(&packet, _i != 0, 1);

    ck_assert_uint_eq(packet.len, TOURNAMENT_PGOUTPUT_STATUS_LEN);
    ck_assert_mem_eq(dst, packet.bytes, packet.len);
    ck_assert_uint_eq(dst[packet.len], UNTOUCHED);

    tournament_pgoutput_status(dst, UINT64_MAX, INT64_MIN, 0);
}
END_TEST


START_TEST(test_xid8)
{
    size_t  i;

    static const struct {
        uint32_t  xid;
        uint64_t  xmax;
        uint64_t  xid8;
    } xids[] = {
        { 728, 729, 728 },
        { 729, 729, 729 },
        { 731, 729, 731 },
        { 0xffffffff, UINT64_C(0x100000003), 0xffffffff },
        { 3, UINT64_C(0xfffffff0), UINT64_C(0x100000003) },
        { 3, UINT64_C(0x7fffffff0), UINT64_C(0x800000003) },
        { 0xffffffff, UINT64_C(0x800000003), UINT64_C(0x7ffffffff) },
        { 0xffffffff, 3, 0xffffffff },
        { 0x7fffffff, UINT64_C(0x700000000), UINT64_C(0x77fffffff) },
        { 0x80000000, UINT64_C(0x700000000), UINT64_C(0x680000000) }
    };

    for (i = 0; i < sizeof(xids) / sizeof(xids[0]); i++) {
        ck_assert_uint_eq(tournament_pgoutput_xid8(xids[i].xid,
                                                   xids[i].xmax),
                          xids[i].xid8);
    }
}
END_TEST


START_TEST(test_snapshot)
{
    size_t                 i;
    uint64_t               xid;
    tournament_snapshot_t  snapshot;

    static const struct {
        const char  *text;
        const char  *shows;            /* of 0 to 12: 1 or 0; "": malformed */
    } texts[] = {
        { "10:10:", "1111111111000" },
        { "3:11:3,4,7,9,10", "1110011010000" },
        { "9:11:9", "1111111110100" },
        { "2:12:2,11", "1101111111100" },
        { "1:12:1,2,3,4,5,6,7,8,9,10,11", "1000000000000" },
        { "3:9:,,", "1110000000000" },
        { "", "" }, { "3", "" }, { "3:", "" }, { "3:4", "" }, { ":4:", "" },
        { "3::", "" }, { "3:4:x", "" }, { "-3:4:", "" }, { "3:4:5:", "" },
        { "99999999999999999999:4:", "" }
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_int_eq(tournament_snapshot_read(&snapshot,
                             (const unsigned char *) texts[i].text,
                             strlen(texts[i].text)),
                         texts[i].shows[0] ? 0 : -1);

        for (xid = 0; xid < strlen(texts[i].shows); xid++) {
            ck_assert_msg(tournament_snapshot_shows(&snapshot, xid)
                          == texts[i].shows[xid] - '0',
                          "\"%s\": %" PRIu64, texts[i].text, xid);
        }
    }
}
END_TEST


START_TEST(test_lsn)
{
    char      text[TOURNAMENT_PGOUTPUT_LSN_LEN + 1], expected[32];
    size_t    len;
    uint64_t  lsn, again;

    /* a one at every bit, alone and with all below it */

    lsn = (_i < 64) ? UINT64_C(1) << _i : UINT64_MAX >> (_i - 64);

    snprintf(expected, sizeof(expected), "%X/%X", (unsigned) (lsn >> 32),
             (unsigned) lsn);

    memset(text, UNTOUCHED, sizeof(text));
    len = tournament_pgoutput_lsn_text(text, lsn);

    check_bytes((unsigned char *) text, len, expected);
    ck_assert_int_eq(text[len], UNTOUCHED);

    ck_assert_int_eq(tournament_pgoutput_lsn((unsigned char *) text, len,
                                             &again), 0);
    ck_assert_uint_eq(again, lsn);
}
END_TEST


START_TEST(test_lsn_read)
{
    size_t    i;
    uint64_t  lsn;

    static const struct {
        const char  *text;
        uint64_t     lsn;
    } good[] = {
        { "0/0", 0 },
        { "16/B374D848", UINT64_C(0x16b374d848) },
        { "16/b374d848", UINT64_C(0x16b374d848) },
        { "00000001/00000002", UINT64_C(0x100000002) },
        { "FFFFFFFF/FFFFFFFF", UINT64_MAX }
    };

    static const char  *bad[] = {
        "", "/", "0", "0/", "/0", "0/0/", "0/0 ", " 0/0", "0//0", "g/0", "0/g",
        "000000001/0", "0/000000001", "-1/0", "0x1/0", "0/@", "0/`", "0/G",
        "\x10/0", "0:0"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        lsn = 1;
        ck_assert_int_eq(
            tournament_pgoutput_lsn((const unsigned char *) good[i].text,
                                    strlen(good[i].text), &lsn), 0);
        ck_assert_uint_eq(lsn, good[i].lsn);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        lsn = 77;
        ck_assert_int_eq(
            tournament_pgoutput_lsn((const unsigned char *) bad[i],
                                    strlen(bad[i]), &lsn), -1);
        ck_assert_uint_eq(lsn, 77);
    }
}
END_TEST


/* the tokens of a text, written out again */

static const char *
tokens_of(const char *text, size_t len)
{
    int                   n;
    char                 *p;
    tournament_token_t    token;
    tournament_payload_t  payload;

    static char  buf[512];

    tournament_payload_open(&payload, (const unsigned char *) text, len);

    p = buf;
    *p = '\0';

    while (tournament_payload_next(&payload, &token)) {
        n = (token.kind == TOURNAMENT_PAYLOAD_EVERYTHING)
                ? sprintf(p, " *")
                : sprintf(p, " %c%" PRId64, token.kind, token.id);
        p += n;
    }

    return buf[0] ? buf + 1 : buf;
}


START_TEST(test_payload)
{
    size_t  i;

    static const struct {
        const char  *text;
        const char  *tokens;
    } payloads[] = {
        { "", "" },
        { " ", "" },
        { "*", "*" },
        { "t1", "t1" },
        { "t1 r22 p333 m4444", "t1 r22 p333 m4444" },
        { "  t1   r2 ", "t1 r2" },
        { "x5", "x5" },
        { "t0 t007", "t0 t7" },
        { "t9223372036854775807", "t9223372036854775807" },

        /* what is not understood is everything, each time */

        { "t9223372036854775808", "*" },
        { "t", "*" },
        { "1", "*" },
        { "** t1", "* t1" },
        { "T1 t-1 t+1 t1x tt1", "* * * * *" },
        { "t1\tt2", "*" },
        { "t1,t2", "*" },
        { "\xd1\x82" "1", "*" },
        { "728 t1", "* t1" }
    };

    for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        ck_assert_str_eq(tokens_of(payloads[i].text,
                                   strlen(payloads[i].text)),
                         payloads[i].tokens);
    }

    ck_assert_str_eq(tokens_of("t1\0t2", 5), "*");
    ck_assert_str_eq(tokens_of("t1 t2", 4), "t1 *");
    ck_assert_str_eq(tokens_of("t12", 2), "t1");
}
END_TEST


START_TEST(test_payload_length)
{
    static char  text[TOURNAMENT_PAYLOAD_MAX + 1];

    memset(text, ' ', sizeof(text));
    memcpy(text, "1 t1", 4);

    ck_assert_str_eq(tokens_of(text, TOURNAMENT_PAYLOAD_MAX), "* t1");
    ck_assert_str_eq(tokens_of(text, TOURNAMENT_PAYLOAD_MAX + 1), "*");
}
END_TEST


int
main(void)
{
    TCase  *tc;
    Suite  *suite;

    suite = suite_create("pgoutput");

    tc = suite_case(suite, "stream");
    tcase_add_loop_test(tc, test_transaction, 0, 7);
    tcase_add_loop_test(tc, test_keepalive, 0, 3);
    tcase_add_loop_test(tc, test_lengths, 0, 4);
    tcase_add_loop_test(tc, test_message_length, 0, 8);
    tcase_add_loop_test(tc, test_types, 0, 256);
    tcase_add_loop_test(tc, test_message_any, 0, 256);
    tcase_add_test(tc, test_instants);

    tc = suite_case(suite, "answers");
    tcase_add_loop_test(tc, test_status, 0, 3);
    tcase_add_test(tc, test_xid8);
    tcase_add_test(tc, test_snapshot);
    tcase_add_loop_test(tc, test_lsn, 0, 128);
    tcase_add_test(tc, test_lsn_read);

    tc = suite_case(suite, "payload");
    tcase_add_test(tc, test_payload);
    tcase_add_test(tc, test_payload_length);

    return suite_run(suite);
}
