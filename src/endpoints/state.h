
/* The endpoint "state", whose entries are those of "states", too. */

#ifndef _TOURNAMENT_ENDPOINT_STATE_H_INCLUDED_
#define _TOURNAMENT_ENDPOINT_STATE_H_INCLUDED_


#include "serve/endpoint.h"


extern tournament_endpoint_t  tournament_endpoint_state;


#endif /* _TOURNAMENT_ENDPOINT_STATE_H_INCLUDED_ */
