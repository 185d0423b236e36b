document.getElementById("print").addEventListener("click", () => globalThis.print());
