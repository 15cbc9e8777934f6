
#include "endpoints/page.h"


static u_char  tournament_page_html[] = {
#include "page.inc"
};


ngx_str_t  tournament_page = {
    sizeof(tournament_page_html),
    tournament_page_html
};
