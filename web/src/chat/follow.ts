// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The view of a list that grows at its end stays there, if that is where the reader is.
import { onBeforeUnmount, ref, watch, type Ref } from 'vue';

const NEAR = 48;

export function useFollow(scroller: Ref<HTMLElement | undefined>, content: Ref<HTMLElement | undefined>) {
  const atEnd = ref(true);
  let top = 0;

  function toEnd(): void {
    const view = scroller.value;
    if (!view) return;
    atEnd.value = true;
    view.scrollTop = view.scrollHeight;
    top = view.scrollTop;
  }
  function scrolled(): void {
    const view = scroller.value;
    if (!view) return;
    const near = view.scrollHeight - view.scrollTop - view.clientHeight < NEAR;
    // Only a reader scrolls up; what grows below, or shrinks, only moves the end.
    if (near) atEnd.value = true;
    else if (view.scrollTop < top) atEnd.value = false;
    top = view.scrollTop;
  }
  const sizes = new ResizeObserver(() => atEnd.value && toEnd());
  watch([content, scroller], (now, before) => {
    for (const element of before ?? []) if (element) sizes.unobserve(element);
    for (const element of now) if (element) sizes.observe(element);
  }, { immediate: true });
  onBeforeUnmount(() => sizes.disconnect());
  return { atEnd, toEnd, scrolled };
}
