/* ctl/interrupt.h: what a long command says when it is interrupted. */
#ifndef CTL_INTERRUPT_H
#define CTL_INTERRUPT_H

/* From now on SIGINT, SIGTERM and SIGHUP call undo, say "movedctl: interrupted: " and what, and end the process as they
 * would have. undo is called in a signal handler; NULL: there is nothing to undo. what is borrowed. A signal that was
 * ignored stays so. */
void interrupt_says(const char *what, void (*undo)(void));

/* From now on they are ignored: what is begun is also done. interrupt_says may follow again. */
void interrupt_ignore(void);

#endif
