/* ctl/interrupt.h: what a long command says when it is interrupted. */
#ifndef CTL_INTERRUPT_H
#define CTL_INTERRUPT_H

/* From now on SIGINT, SIGTERM and SIGHUP remove the file, say "movedctl: interrupted: " and what, and
 * end the process as they would have. file NULL: there is none. Both are lent. A signal that was
 * ignored stays so. */
void interrupt_says(const char *what, const char *file);

/* From now on they are ignored, and the file is not known any more: what is begun is also done. interrupt_says may follow
 * again. */
void interrupt_ignore(void);

#endif
