
#include "endpoints/page.h"


static u_char  ngx_http_tournament_page_html[] = {
#include "ngx_http_tournament_page.inc"
};


ngx_str_t  ngx_http_tournament_page = {
    sizeof(ngx_http_tournament_page_html),
    ngx_http_tournament_page_html
};
