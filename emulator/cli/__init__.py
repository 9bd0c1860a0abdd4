"""The command line.

    main.py         the commands' group and what happens to errors
    flags.py        flags of commands, made from the settings table
    up.py           `up`: the emulator in the foreground
    claim.py        one emulator per state directory
    ports.py        who listens on a port
    clients.py      `env`: what points clients at the emulator
    images.py       `images`: list, build, tag
    doctor.py       `doctor`: what is missing here and how to mend it
    reference.py    docs/settings.md and docs/cli.md, from the code

What another program reads goes to standard output, plain; everything else to standard error. Only
the code of a command imports the parts that it needs, so that `--help` answers at once.
"""
