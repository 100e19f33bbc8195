"""Holds the interface of one of our modules against the deployed one's: every public name, with what `inspect` says of it."""

import inspect


def public_names(module):
    """What a module offers: `__all__`, or what was made in it, without what it has imported."""
    if hasattr(module, '__all__'):
        return sorted(module.__all__)
    return sorted(name for name, value in vars(module).items()
                  if not name.startswith('_') and not inspect.ismodule(value)
                  and getattr(value, '__module__', module.__name__) == module.__name__)


def differences(theirs, ours):
    """What a program could notice, as lines of text."""
    for name in public_names(theirs):
        if hasattr(ours, name):
            yield from _of_value(name, getattr(theirs, name), getattr(ours, name))
        else:
            yield f'{name} is missing'


def _of_value(name, theirs, ours):
    if theirs is ours:
        return
    if inspect.isclass(theirs):
        yield from _of_class(name, theirs, ours) if inspect.isclass(ours) else [f'{name} is no class']
    elif inspect.isfunction(theirs) or inspect.isbuiltin(theirs):
        yield from _of_function(name, theirs, ours)


def _of_class(name, theirs, ours):
    if ours.__name__ != theirs.__name__:
        yield f'{name} has the name {ours.__name__}'
    bases = {i.__name__ for i in theirs.__mro__} - {i.__name__ for i in ours.__mro__}
    if bases:
        yield f'{name} is no {", ".join(sorted(bases))}'
    if theirs.__doc__ and not ours.__doc__:
        yield f'{name} has no docstring'
    special = {i for i in vars(theirs) if i in ('__aenter__', '__aexit__', '__len__', '__iter__', '__lt__', '__gt__', '__call__')}
    for member in sorted({i for i in dir(theirs) if not i.startswith('_')} | special):
        path = f'{name}.{member}'
        if not hasattr(ours, member):
            yield f'{path} is missing'
            continue
        one, other = inspect.getattr_static(theirs, member), inspect.getattr_static(ours, member)
        if isinstance(one, property):
            if not isinstance(other, property):
                yield f'{path} is no property'
            elif (one.fset is None) != (other.fset is None):
                yield f'{path} can{"" if other.fset else "not"} be set'
            elif one.__doc__ and not other.__doc__:
                yield f'{path} has no docstring'
        elif callable(getattr(theirs, member)):
            yield from _of_function(path, getattr(theirs, member), getattr(ours, member))


def _of_function(name, theirs, ours):
    one, other = _parameters(theirs), _parameters(ours)
    if one != other:
        yield f'{name}{_text(other)} instead of {name}{_text(one)}'
    for kind in (inspect.iscoroutinefunction, inspect.isasyncgenfunction):
        if kind(theirs) != kind(ours):
            yield f'{name}: {kind.__name__} is {kind(ours)}'
    if theirs.__doc__ and not ours.__doc__:
        yield f'{name} has no docstring'


def _parameters(function):
    try:
        return [(i.name, i.kind, _default(i.default)) for i in inspect.signature(function).parameters.values()]
    except ValueError:
        return None


def _default(value):
    """A class that is a default, as a serializer, is another one in ours."""
    is_class = inspect.isclass(value) and value is not inspect.Parameter.empty
    return 'a class' if is_class else value


def _text(parameters):
    return '(' + ', '.join(str(name) for name, _, _ in parameters or []) + ')'
