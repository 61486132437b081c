/**
 * Ten minutes without a touch.
 */

const MINUTES = 10;
const TOUCHES = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart", "scroll"];

export class Idle {
  /** @param {() => void} onIdle */
  constructor(onIdle) {
    this.onIdle = onIdle;
    this.touched = Date.now();
    this.touch = () => {
      this.touched = Date.now();
    };
    // A clock is compared, because browsers slow timers down in pages that nobody looks at, and stop them in sleep.
    this.look = () => {
      if (Date.now() - this.touched >= MINUTES * 60_000) this.onIdle();
    };
  }

  /** Begin to wait. */
  start() {
    this.touch();
    for (const name of TOUCHES) document.addEventListener(name, this.touch, { passive: true, capture: true });
    document.addEventListener("visibilitychange", this.look);
    this.timer = window.setInterval(this.look, 5_000);
  }

  /** Wait no more. */
  stop() {
    for (const name of TOUCHES) document.removeEventListener(name, this.touch, { capture: true });
    document.removeEventListener("visibilitychange", this.look);
    clearInterval(this.timer);
  }
}
