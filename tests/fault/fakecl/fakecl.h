/* A fake OpenCL driver for tests: it computes with the CPU's range functions, checks its caller more strictly than any
 * vendor, and fails on demand. libfakecl.so is found by the ICD loader or opened in place of libOpenCL.so.1.
 *
 * Faults, FAKECL_FAULT or fakecl_ctl("fault ..."): "fn:nth:action[:sticky],...". fn: a function, or * for any that is
 * counted; nth: from 1, counted since the fault was set. Sticky: from then on for ever. Actions:
 *   -5           the call returns that error and does nothing (a release releases all the same)
 *   lost         the call and all later ones on objects of its device return -5, its commands end with -5 and
 *                CL_DEVICE_AVAILABLE is false; clGetDeviceInfo still answers, releases still release
 *   hang         the call blocks until "release"; then it goes on
 *   stall        the enqueued command does not end until "release"
 *   delay=ms     the call takes so long
 *   load=ms      the same, as it loads libraries: it registers an exit handler, and aborts if that runs meanwhile
 *   evstatus=-5  the enqueue succeeds; the command does nothing and its event ends so
 *   flip         one bit of what is read, mapped, written or computed is wrong
 *   overrun      8 bytes past the end of what is read or mapped are overwritten
 *   abort        the process ends
 * After a command has failed, those behind it in its queue fail with -14 until the failure was reported by a wait for
 * an event, a blocking call or clGetEventInfo (clFinish tells nothing); with ISOLATED=1 they run as if nothing had
 * happened.
 *
 * Shape, from the environment or "shape NAME=VALUE"; a list for the devices is separated by ';', its last element
 * holds for those that follow. Only before the first enumeration: DEVICES=1 (0 to 64). Names, with their defaults:
 *   TYPE=gpu NAMES="Fake Device" MAXALLOC=2^30 GLOBALMEM=2^32 WGS=256 VERSION="OpenCL 1.2 fakecl" ADDRBITS=64 UNITS=4
 *   FP=        words of nodenorm, nofp64, inexact (no correctly rounded division)
 *   UNIFIED=0  1: CL_MEM_USE_HOST_PTR works in place; 0: on a copy, brought up to date by map and unmap; 2: on a copy,
 *              though the device says that it shares the host's memory
 *   NS_PER_ITEM=0 GBPS=0 (0: at once) LAUNCH_US=0 BUILD_MS=0 BUILD_FAIL=0 SYNC=0 ISOLATED=0
 * A device runs its kernels one after another, also those of different queues; transfers run beside them.
 * SYNC=1 (read when a queue is made): commands run inside the enqueue. Otherwise a thread per queue runs them, once
 * they are flushed: by clFlush, clFinish, a blocking call, clWaitForEvents or the queue's release. */
#ifndef FAKECL_H
#define FAKECL_H

struct yoke_kernel;

#pragma GCC visibility push(default)

/* Commands; -1: not understood.
 *   reset          faults, counters and violations are forgotten, lost devices return; hangs stay until "release"
 *   fault SPEC     adds faults
 *   shape N=V      see above
 *   release        ends every hang and stall under way
 *   pause, resume  of all queue threads
 *   lenient        violations are counted; the default, "strict", is to abort with a message
 *   calls?         since reset. Under the ICD loader, platform and device queries count only after the
 *                  process' first clCreateContext: the loader makes some itself
 *   fired?         faults that took place since reset
 *   violations?    since reset
 *   leaks?         objects the caller holds
 *   print          tells stderr which
 *   bytes_in? bytes_out?   transferred since reset, at most INT_MAX */
int fakecl_ctl(const char *request);
/* Of the k-th call since reset, from 1; if there were not so many yet, of the k-th before the reset; else "?". */
const char *fakecl_call_name(int k);
/* Of the last violation; "" without one. Valid until the next call on this thread. */
const char *fakecl_violation(void);
/* Kernels are found by their symbol if the program exports it; others must be registered. */
void fakecl_register(const struct yoke_kernel *kernel);

#pragma GCC visibility pop

#endif
