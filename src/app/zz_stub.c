#include "app/command.h"
__attribute__((weak)) int run_db(struct args *a){(void)a;return 0;}
__attribute__((weak)) int run_doctor(struct args *a){(void)a;return 0;}
