// Sets the theme before anything is painted, so that a dark page does not flash white.
(function () {
    "use strict";
    var chosen = null;
    try { chosen = window.localStorage.getItem("tpscope-theme"); } catch (error) { chosen = null; }
    if (chosen === "dark" || chosen === "light") {
        document.documentElement.setAttribute("data-theme", chosen);
    }
})();
