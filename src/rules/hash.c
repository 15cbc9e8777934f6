
/*
 * The rounds as the paper has them, on words that are read byte by byte: no
 * alignment and no byte order is asked of the machine.
 */

#include "rules/hash.h"


/*
 * Little-endian by definition, whatever the machine is.  Where it is so
 * itself, compilers make one unaligned load of this; they do not, and call it
 * for each word, if it is a function.
 */

#define tournament_hash_load(p)                                               \
    ((uint64_t) (p)[0]                                                        \
     | (uint64_t) (p)[1] << 8                                                 \
     | (uint64_t) (p)[2] << 16                                                \
     | (uint64_t) (p)[3] << 24                                                \
     | (uint64_t) (p)[4] << 32                                                \
     | (uint64_t) (p)[5] << 40                                                \
     | (uint64_t) (p)[6] << 48                                                \
     | (uint64_t) (p)[7] << 56)

#define tournament_hash_rotl(x, n)  (((x) << (n)) | ((x) >> (64 - (n))))

#define tournament_hash_round(v0, v1, v2, v3)                                 \
    v0 += v1;                                                                 \
    v2 += v3;                                                                 \
    v1 = tournament_hash_rotl(v1, 13) ^ v0;                                   \
    v3 = tournament_hash_rotl(v3, 16) ^ v2;                                   \
    v0 = tournament_hash_rotl(v0, 32);                                        \
    v2 += v1;                                                                 \
    v0 += v3;                                                                 \
    v1 = tournament_hash_rotl(v1, 17) ^ v2;                                   \
    v3 = tournament_hash_rotl(v3, 21) ^ v0;                                   \
    v2 = tournament_hash_rotl(v2, 32)


static uint64_t tournament_hash_rest(const uint8_t *p, size_t len);


uint64_t
tournament_hash(const uint8_t key[TOURNAMENT_HASH_KEY_LEN], const void *data,
    size_t len)
{
    uint64_t        k0, k1, v0, v1, v2, v3, m;
    const uint8_t  *p;

    p = data;

    k0 = tournament_hash_load(key);
    k1 = tournament_hash_load(&key[8]);

    /* "somepseudorandomlygeneratedbytes" */

    v0 = k0 ^ UINT64_C(0x736f6d6570736575);
    v1 = k1 ^ UINT64_C(0x646f72616e646f6d);
    v2 = k0 ^ UINT64_C(0x6c7967656e657261);
    v3 = k1 ^ UINT64_C(0x7465646279746573);

    /* the last word is what is left, below the lowest byte of the length */

    k0 = (uint64_t) len << 56;

    for ( /* void */ ; len >= 8; len -= 8) {
        m = tournament_hash_load(p);
        p += 8;

        v3 ^= m;
        tournament_hash_round(v0, v1, v2, v3);
        tournament_hash_round(v0, v1, v2, v3);
        v0 ^= m;
    }

    m = k0 | tournament_hash_rest(p, len);

    v3 ^= m;
    tournament_hash_round(v0, v1, v2, v3);
    tournament_hash_round(v0, v1, v2, v3);
    v0 ^= m;

    v2 ^= 0xff;
    tournament_hash_round(v0, v1, v2, v3);
    tournament_hash_round(v0, v1, v2, v3);
    tournament_hash_round(v0, v1, v2, v3);
    tournament_hash_round(v0, v1, v2, v3);

    return v0 ^ v1 ^ v2 ^ v3;
}


/* the last bytes, fewer than eight */

static uint64_t
tournament_hash_rest(const uint8_t *p, size_t len)
{
    uint64_t  m;

    m = 0;

    switch (len) {
    case 7:
        m |= (uint64_t) p[6] << 48;
        /* fall through */
    case 6:
        m |= (uint64_t) p[5] << 40;
        /* fall through */
    case 5:
        m |= (uint64_t) p[4] << 32;
        /* fall through */
    case 4:
        m |= (uint64_t) p[3] << 24;
        /* fall through */
    case 3:
        m |= (uint64_t) p[2] << 16;
        /* fall through */
    case 2:
        m |= (uint64_t) p[1] << 8;
        /* fall through */
    case 1:
        m |= p[0];
    }

    return m;
}
