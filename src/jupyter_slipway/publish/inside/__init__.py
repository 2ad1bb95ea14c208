"""What works inside a user's kernel or run: sees what each cell changes, takes fingerprints of values.

    install(shell) ──► one record per execution ──► history()
    values ──► report() ──► `proof` compares two of them

It runs where our package need not be installed, so it knows the standard library only, of Python 3.8 and later, and
imports its own files relatively: there `probe` loads them under another name. `%load_ext` imports them from here.

What it uses is bound when it is loaded, because a user may patch `json.dumps` or `time.perf_counter`. It imports
no library: numpy, pandas and others are looked up in `sys.modules`, and only when the user has imported them.
"""
