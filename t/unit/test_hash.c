
/*
 * tournament_hash() against the published vectors of SipHash-2-4 and against
 * a second implementation, written to be plain rather than fast.
 */

#include <stdlib.h>
#include <string.h>

#include "suite.h"

#include "rules/hash.h"


static uint8_t  key[TOURNAMENT_HASH_KEY_LEN];
static uint8_t  message[1024];


/* the paper's: key 00 01 .. 0f, message 00 01 .. */

static void
setup(void)
{
    size_t  i;

    for (i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t) i;
    }

    for (i = 0; i < sizeof(message); i++) {
        message[i] = (uint8_t) i;
    }
}


/*
 * The paper's section 2, word by word: one byte at a time, the padded message
 * computed rather than read, the state in an array.
 */

static uint64_t
rotate(uint64_t x, unsigned n)
{
    while (n--) {
        x = (x << 1) | (x >> 63);
    }

    return x;
}


static void
sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13);
    v[1] ^= v[0];
    v[0] = rotate(v[0], 32);

    v[2] += v[3];
    v[3] = rotate(v[3], 16);
    v[3] ^= v[2];

    v[0] += v[3];
    v[3] = rotate(v[3], 21);
    v[3] ^= v[0];

    v[2] += v[1];
    v[1] = rotate(v[1], 17);
    v[1] ^= v[2];
    v[2] = rotate(v[2], 32);
}


static uint64_t
slow_word(const uint8_t *bytes, size_t len, size_t word)
{
    size_t    i, at;
    uint64_t  w, byte;

    w = 0;

    for (i = 0; i < 8; i++) {
        at = word * 8 + i;

        if (at < len) {
            byte = bytes[at];

        } else if (word == len / 8 && i == 7) {
            byte = len % 256;

        } else {
            byte = 0;
        }

        w += byte * (UINT64_C(1) << (8 * i));
    }

    return w;
}


static uint64_t
slow_hash(const uint8_t *k, const uint8_t *bytes, size_t len)
{
    size_t    i, words;
    uint64_t  v[4], m;

    static const char  constant[] = "somepseudorandomlygeneratedbytes";

    for (i = 0; i < 4; i++) {
        v[i] = 0;

        for (m = 0; m < 8; m++) {
            v[i] = v[i] * 256 + (uint8_t) constant[i * 8 + m];
        }

        v[i] ^= slow_word(k, TOURNAMENT_HASH_KEY_LEN, i % 2);
    }

    words = (len + 1) / 8 + ((len + 1) % 8 ? 1 : 0);

    for (i = 0; i < words; i++) {
        m = slow_word(bytes, len, i);

        v[3] ^= m;
        sip_round(v);
        sip_round(v);
        v[0] ^= m;
    }

    v[2] ^= 0xff;

    for (i = 0; i < 4; i++) {
        sip_round(v);
    }

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}


/* appendix A of the paper, and the first of its reference implementation */

START_TEST(test_published_vectors)
{
    size_t  i;

    static const uint64_t  vectors[] = {
        UINT64_C(0x726fdb47dd0e0e31),
        UINT64_C(0x74f839c593dc67fd),
        UINT64_C(0x0d6c8009d9a94f5a),
        UINT64_C(0x85676696d7fb7e2d),
        UINT64_C(0xcf2794e0277187b7),
        UINT64_C(0x18765564cd99a68d),
        UINT64_C(0xcbc9466e58fee3ce),
        UINT64_C(0xab0200f58b01d137),
        UINT64_C(0x93f5f5799a932462)
    };

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        ck_assert_uint_eq(tournament_hash(key, message, i), vectors[i]);
    }

    ck_assert_uint_eq(tournament_hash(key, message, 15),
                      UINT64_C(0xa129ca6149be45e5));
}
END_TEST


/* 256 and more: only the lowest byte of the length goes into the hash */

START_TEST(test_every_length)
{
    size_t  len;

    for (len = 0; len <= sizeof(message); len++) {
        ck_assert_uint_eq(tournament_hash(key, message, len),
                          slow_hash(key, message, len));
    }
}
END_TEST


START_TEST(test_any_bytes)
{
    size_t    i, len;
    uint64_t  x;

    x = 1;

    for (len = 0; len < 256; len++) {

        for (i = 0; i < len; i++) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407U;
            message[i] = (uint8_t) (x >> 56);
            key[i % sizeof(key)] ^= (uint8_t) (x >> 48);
        }

        ck_assert_uint_eq(tournament_hash(key, message, len),
                          slow_hash(key, message, len));
    }
}
END_TEST


/* a copy that ends where its memory ends, begun at each alignment */

START_TEST(test_alignment)
{
    size_t    len;
    uint8_t  *k, *p, *memory;

    memory = malloc(8 + sizeof(key) + 64);
    ck_assert_ptr_nonnull(memory);

    k = memory + _i;
    memcpy(k, key, sizeof(key));

    for (len = 0; len < 64; len++) {
        p = malloc(_i + len);
        ck_assert(p != NULL || _i + len == 0);

        if (len) {
            memcpy(p + _i, message, len);
        }

        ck_assert_uint_eq(tournament_hash(k, len ? p + _i : NULL, len),
                          slow_hash(key, message, len));
        free(p);
    }

    free(memory);
}
END_TEST


/* every bit of the key and of the message, and the length, tell */

START_TEST(test_sensitivity)
{
    size_t    i;
    uint64_t  hash;

    hash = tournament_hash(key, message, 21);

    for (i = 0; i < sizeof(key) * 8; i++) {
        key[i / 8] ^= (uint8_t) (1 << (i % 8));
        ck_assert_uint_ne(tournament_hash(key, message, 21), hash);
        key[i / 8] ^= (uint8_t) (1 << (i % 8));
    }

    for (i = 0; i < 21 * 8; i++) {
        message[i / 8] ^= (uint8_t) (1 << (i % 8));
        ck_assert_uint_ne(tournament_hash(key, message, 21), hash);
        message[i / 8] ^= (uint8_t) (1 << (i % 8));
    }

    memset(message, 0, sizeof(message));

    for (i = 0; i < 32; i++) {
        ck_assert_uint_ne(tournament_hash(key, message, i),
                          tournament_hash(key, message, i + 1));
    }
}
END_TEST


int
main(void)
{
    TCase  *tc;
    Suite  *suite;

    suite = suite_create("hash");

    tc = suite_case(suite, "siphash-2-4");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_published_vectors);
    tcase_add_test(tc, test_every_length);
    tcase_add_test(tc, test_any_bytes);
    tcase_add_loop_test(tc, test_alignment, 0, 8);
    tcase_add_test(tc, test_sensitivity);

    return suite_run(suite);
}
