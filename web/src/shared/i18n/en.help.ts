/** The text of the page of keys; a file of its own, as it is seldom read. */
export const help = {
  title: "Keyboard",
  groups: [
    {
      name: "Everywhere",
      keys: [
        ["q", "Add a task"],
        ["/", "Search"],
        ["z", "Undo the last change"],
        ["g i", "Go to Inbox; t Today, u Upcoming, a All, d Completed, s Settings"],
        ["?", "Show these keys"],
        ["Esc", "Close, or clear the selection"],
      ],
    },
    {
      name: "In a list",
      keys: [
        ["↑ ↓", "Walk, also k and j"],
        ["Enter", "Open the task"],
        ["c", "Complete or reopen"],
        ["F2", "Edit the title, also e"],
        ["Del", "Delete"],
        ["x", "Select"],
        ["Shift ↑↓", "Select more; Ctrl a all"],
        ["← →", "Hide or show subtasks"],
        ["Alt ↑↓", "Move up or down"],
        ["Alt ←→", "Nest below the task above, or take out; on a board: one column on"],
      ],
    },
    {
      name: "In “Add a task”",
      keys: [
        ["#project", "Put it there; a new name makes the project"],
        ["@tag", "Tag it"],
        ["!high", "Or !urgent, !medium, !low, !1 to !4"],
        ["tomorrow", "Or next fri, in 3 days, 27 dec, 9am, noon …"],
      ],
    },
  ] satisfies { name: string; keys: [string, string][] }[],
};
