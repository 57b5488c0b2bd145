"use strict";
// Filter of the case matrix, and opening of the message that a link points to. The pages work without it.
(function () {
  var bar = document.querySelector("[data-filter]");
  if (bar) {
    var rows = Array.prototype.slice.call(document.querySelectorAll("tr[data-verdict]"));
    var groups = Array.prototype.slice.call(document.querySelectorAll("tbody[data-group]"));
    var field = bar.querySelector("input");
    var buttons = Array.prototype.slice.call(bar.querySelectorAll("button[data-show]"));
    var said = bar.querySelector("[aria-live]");
    var wanted = "all";
    var texts = rows.map(function (row) { return row.textContent.toLowerCase(); });
    var apply = function () {
      var words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      var count = 0;
      rows.forEach(function (row, n) {
        var fits = (wanted === "all" || row.getAttribute("data-verdict") === wanted) &&
          words.every(function (word) { return texts[n].indexOf(word) >= 0; });
        row.hidden = !fits;
        count += fits ? 1 : 0;
      });
      groups.forEach(function (group) { group.hidden = !group.querySelector("tr[data-verdict]:not([hidden])"); });
      said.textContent = count + " of " + rows.length + " shown";
    };
    bar.hidden = false;
    field.addEventListener("input", apply);
    buttons.forEach(function (button) {
      button.addEventListener("click", function () {
        wanted = button.getAttribute("data-show");
        buttons.forEach(function (each) { each.setAttribute("aria-pressed", String(each === button)); });
        apply();
      });
    });
    apply();
  }
  var reveal = function () {
    var target = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
    if (target && target.tagName === "DETAILS") {
      target.open = true;
      target.scrollIntoView({ block: "nearest" });
    }
  };
  window.addEventListener("hashchange", reveal);
  reveal();
})();
