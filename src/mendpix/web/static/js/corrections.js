// What was painted and erased by hand on a mask that was found: two masks of its size, which stay when another finding
// comes. Knows masks; knows no brushes, no screen and no server.

import { joined } from "./history.js";
import { FILL_FROM, Mask } from "./mask.js";

const isMarked = (value) => value >= FILL_FROM;

/** The corrections of one mask. */
export class Corrections {
  /** Whatever is in the mask so far was put there by hand. */
  constructor(mask) {
    this.added = new Mask(mask.width, mask.height);
    this.erased = new Mask(mask.width, mask.height);
    this.added.data.set(mask.data);
    this.added.changed([0, 0, mask.width, mask.height]);
  }

  /** What a stroke changes besides the mask itself: pairs of a mask and whether the stroke erases there. */
  targets(erase) {
    return [
      [this.added, erase],
      [this.erased, !erase],
    ];
  }

  /** Lay the corrections over a finding: pixels of the mask's size, which are changed. */
  over(data) {
    for (let index = 0; index < data.length; index++) {
      if (isMarked(this.erased.data[index])) data[index] = 0;
      else if (isMarked(this.added.data[index])) data[index] = 255;
    }
  }

  /** Take what differs between the mask before and now for corrections. Answers with the step. */
  note(before, mask) {
    const write = (own, wanted) =>
      own.edit("Correct", ({ data }) => {
        for (let index = 0; index < data.length; index++) {
          const now = isMarked(mask.data[index]);
          if (now !== isMarked(before[index])) data[index] = now === wanted ? 255 : 0;
        }
      });
    return joined("Correct", [write(this.added, true), write(this.erased, false)]);
  }

  /** Begin anew from what is in the mask. Answers with the step. */
  restart(mask) {
    return joined("Correct", [
      this.added.edit("Correct", ({ data }) => data.set(mask.data)),
      this.erased.isBlank ? null : this.erased.edit("Correct", ({ data }) => data.fill(0)),
    ]);
  }
}
