"""Events: `common` and `eventer`, as in `hat.event`."""
