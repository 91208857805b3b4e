"""How each command is called: arguments, options, help, and what is refused without AWS. No slow imports."""
