
/*
 * Words are cut at spaces alone, so that any other byte, NUL too, stays in its
 * word and makes a token of it that concerns everything.
 */

#include "feed/payload.h"
#include "rules/text.h"


static size_t tournament_payload_word(tournament_payload_t *payload,
    const unsigned char **word);


void
tournament_payload_open(tournament_payload_t *payload, const unsigned char *p,
    size_t len)
{
    payload->p = p;
    payload->end = p + len;
    payload->too_long = (len > TOURNAMENT_PAYLOAD_MAX);
}


int
tournament_payload_next(tournament_payload_t *payload,
    tournament_token_t *token)
{
    size_t                len;
    const unsigned char  *word;

    token->kind = TOURNAMENT_PAYLOAD_EVERYTHING;
    token->id = 0;

    if (payload->too_long) {
        payload->too_long = 0;
        payload->p = payload->end;

        return 1;
    }

    len = tournament_payload_word(payload, &word);

    if (len == 0) {
        return 0;
    }

    if (word[0] >= 'a' && word[0] <= 'z'
        && tournament_text_id(word + 1, len - 1, &token->id) == 0)
    {
        token->kind = word[0];
    }

    return 1;
}


static size_t
tournament_payload_word(tournament_payload_t *payload,
    const unsigned char **word)
{
    while (payload->p < payload->end && *payload->p == ' ') {
        payload->p++;
    }

    *word = payload->p;

    while (payload->p < payload->end && *payload->p != ' ') {
        payload->p++;
    }

    return payload->p - *word;
}
