/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/bench/fixed.c: the reference: a libmilter program that answers each RCPT with a fixed
 * 551, or accepts each, and looks nothing up. It negotiates the same steps and macros as
 * milter-moved, so that the difference of the two is what milter-moved does.
 * usage: fixed unix:PATH [accept] */
#include <libmilter/mfapi.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STEPS                                                                                      \
    (SMFIP_NOHELO | SMFIP_NODATA | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY | SMFIP_NOUNKNOWN |   \
     SMFIP_NR_CONN | SMFIP_NR_MAIL)

static bool accepts;

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2,
                             unsigned long f3, unsigned long *p0, unsigned long *p1,
                             unsigned long *p2, unsigned long *p3)
{
    (void)ctx, (void)f2, (void)f3;
    *p0 = f0 & (SMFIF_ADDRCPT_PAR | SMFIF_DELRCPT | SMFIF_SETSYMLIST);
    *p1 = f1 & STEPS;
    *p2 = *p3 = 0;
    if ((*p0 & SMFIF_SETSYMLIST) != 0) {
        (void)smfi_setsymlist(ctx, SMFIM_CONNECT, (char *)"v {client_resolve}");
        (void)smfi_setsymlist(ctx, SMFIM_ENVFROM, (char *)"i {auth_authen}");
        (void)smfi_setsymlist(ctx, SMFIM_ENVRCPT, (char *)"i {rcpt_addr}");
        (void)smfi_setsymlist(ctx, SMFIM_EOM, (char *)"i");
    }
    return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, struct sockaddr *address)
{
    (void)ctx, (void)host, (void)address;
    return SMFIS_NOREPLY;
}

static sfsistat on_mail(SMFICTX *ctx, char **args)
{
    (void)ctx, (void)args;
    return SMFIS_NOREPLY;
}

static sfsistat on_rcpt(SMFICTX *ctx, char **args)
{
    (void)args;
    if (accepts)
        return SMFIS_CONTINUE;
    return smfi_setreply(ctx, (char *)"551", (char *)"5.1.6",
                         (char *)"User not local; please try <fixed@new.example>") == MI_SUCCESS
               ? SMFIS_REJECT
               : SMFIS_TEMPFAIL;
}

static sfsistat on_end(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
    struct smfiDesc description = {.xxfi_name = (char *)"fixed",
                                   .xxfi_version = SMFI_VERSION,
                                   .xxfi_flags =
                                       SMFIF_ADDRCPT_PAR | SMFIF_DELRCPT | SMFIF_SETSYMLIST,
                                   .xxfi_connect = on_connect,
                                   .xxfi_envfrom = on_mail,
                                   .xxfi_envrcpt = on_rcpt,
                                   .xxfi_eom = on_end,
                                   .xxfi_abort = on_end,
                                   .xxfi_close = on_end,
                                   .xxfi_negotiate = on_negotiate};
    accepts = argc == 3 && strcmp(argv[2], "accept") == 0;
    if (argc < 2 || argc > 3 || smfi_register(description) != MI_SUCCESS ||
        smfi_setconn(argv[1]) != MI_SUCCESS || smfi_setbacklog(1024) != MI_SUCCESS ||
        smfi_opensocket(1) != MI_SUCCESS)
        return EXIT_FAILURE;
    return smfi_main() == MI_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
