#include "app/command.h"
#include "api/openapi.h"
__attribute__((weak)) int run_db(struct args *a){(void)a;return 0;}
__attribute__((weak)) int run_doctor(struct args *a){(void)a;return 0;}
__attribute__((weak)) enum err openapi_get(struct call *c, struct why *w){(void)c;(void)w;return ERR_NOT_FOUND;}
__attribute__((weak)) enum err docs_get(struct call *c, struct why *w){(void)c;(void)w;return ERR_NOT_FOUND;}
