use alloc::string::String;

/// Why a type cannot be used. `definition` is the definition in which the fault is, as
/// `Module.Name`; for a name that was asked for, it is that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// A name without a module that is none of the six builtins.
    #[error("`{name}` is not a builtin type: types of a schema are named `Module.Type`")]
    NoBuiltin {
        /// The name.
        name: String,
    },
    /// A module that the repository does not have.
    #[error("`{definition}`: there is no module `{module}`: add its schema to the repository")]
    UnknownModule {
        /// Where the fault is.
        definition: String,
        /// The missing module.
        module: String,
    },
    /// A type that its module does not have.
    #[error("`{definition}`: there is no type `{name}` in module `{module}`")]
    UnknownType {
        /// Where the fault is.
        definition: String,
        /// The module, which exists.
        module: String,
        /// The missing type.
        name: String,
    },
    /// More or fewer arguments than the type has parameters.
    #[error("`{definition}`: `{name}` was given {found} arguments instead of {expected}")]
    ArgumentCount {
        /// Where the fault is.
        definition: String,
        /// The type that is referred to.
        name: String,
        /// How many it takes.
        expected: usize,
        /// How many it was given.
        found: usize,
    },
    /// Arguments for a parameter, which stands for a whole type.
    #[error("`{definition}`: `{parameter}` is a parameter and takes no arguments")]
    ArgumentsForParameter {
        /// Where the fault is.
        definition: String,
        /// The parameter.
        parameter: String,
    },
    /// `Record` or `Choice` without braces.
    #[error("`{definition}`: `{keyword}` without entries: write `{keyword} {{ name: Type }}`")]
    NoEntries {
        /// Where the fault is.
        definition: String,
        /// `Record` or `Choice`.
        keyword: String,
    },
    /// A type with parameters, asked for by its name alone.
    #[error("`{definition}` has parameters: define a type that sets them, and use that type")]
    Parametric {
        /// The name that was asked for.
        definition: String,
    },
    /// A type that has no finite value: `T = T`, or `T = Record { next: T }`.
    #[error(
        "`{definition}` contains itself without end: make the recursion an entry of a Choice, an Optional or an Array"
    )]
    Infinite {
        /// One of the definitions that contain themselves.
        definition: String,
    },
    /// A parametric type whose arguments grow with each recursion: `T(a) = Optional(T(Array(a)))`.
    #[error(
        "`{definition}` expands into itself with ever new arguments: more than {limit} types are being expanded at once"
    )]
    Endless {
        /// The definition.
        definition: String,
        /// How often a definition may be open at once.
        limit: usize,
    },
    /// Definitions inside definitions past the limit.
    #[error("`{definition}` is nested deeper than {limit} levels of types")]
    TooDeep {
        /// The definition at the limit.
        definition: String,
        /// The limit.
        limit: usize,
    },
    /// More types and entries in one type than the limit.
    #[error("`{definition}` makes the type larger than {limit} types and entries")]
    TooLarge {
        /// The definition at the limit.
        definition: String,
        /// The limit.
        limit: usize,
    },
}
