"""The command line of minibn: parse, call, render. Every print, progress bar and plot is here."""
