/// An SBS Record as a struct: the fields are written once, and [`Encode`](crate::sbs::Encode) and
/// [`Decode`](crate::sbs::Decode) follow from them, in their order.
///
/// ```
/// use hat_core::sbs;
///
/// sbs::record! {
///     /// `Point = Record { x: Integer, y: Integer }`
///     #[derive(Debug, PartialEq)]
///     struct Point { x: i64, y: i64 }
/// }
///
/// let bytes = sbs::encode(&Point { x: 1, y: -1 });
/// assert_eq!(bytes[..], [0x81, 0xff]);
/// assert_eq!(sbs::decode(&bytes), Ok(Point { x: 1, y: -1 }));
/// ```
///
/// A record may have parameters, which are types that SBS has a form for, and need have no fields:
///
/// ```
/// use hat_core::sbs;
///
/// sbs::record! {
///     #[derive(Debug, PartialEq)]
///     struct Reading<T: Copy> { name: String, value: T }
/// }
/// sbs::record! {
///     #[derive(Debug, PartialEq)]
///     struct Nothing {}
/// }
///
/// let reading = Reading { name: "boiler".into(), value: 81.5_f32 };
/// assert_eq!(sbs::decode(&sbs::encode(&reading)), Ok(reading));
/// assert!(sbs::encode(&Nothing {}).is_empty());
/// ```
///
/// A field of a type without a form in SBS is an error of the compiler that says what to write:
///
/// ```compile_fail
/// hat_core::sbs::record! { struct Picture { pixels: Vec<u8> } }
/// ```
#[macro_export]
macro_rules! sbs_record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident
        $(<$($param:ident $(: $bound:path)?),+ $(,)?>)?
    {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty),* $(,)?
    }) => {
        $(#[$meta])*
        $vis struct $name $(<$($param $(: $bound)?),+>)? {
            $($(#[$field_meta])* $field_vis $field: $type,)*
        }

        impl $(<$($param: $crate::sbs::Encode $(+ $bound)?),+>)? $crate::sbs::Encode
            for $name $(<$($param),+>)?
        {
            #[inline]
            fn encoded_len(&self) -> usize {
                0 $(+ $crate::sbs::Encode::encoded_len(&self.$field))*
            }

            #[inline]
            fn encode(&self, out: &mut impl $crate::sbs::Writer) {
                let _ = &out; // a record may have no fields
                $($crate::sbs::Encode::encode(&self.$field, out);)*
            }

            #[inline]
            fn fits_depth(&self, levels: u32) -> bool {
                let _ = levels;
                true $(&& $crate::sbs::Encode::fits_depth(&self.$field, levels))*
            }
        }

        impl $(<$($param: $crate::sbs::Decode $(+ $bound)?),+>)? $crate::sbs::Decode
            for $name $(<$($param),+>)?
        {
            const MIN_LEN: usize = 0 $(+ <$type as $crate::sbs::Decode>::MIN_LEN)*;

            #[inline]
            fn decode(reader: &mut $crate::sbs::Reader<'_>)
                -> ::core::result::Result<Self, $crate::sbs::DecodeError>
            {
                let _ = &reader;
                ::core::result::Result::Ok(Self {
                    $($field: $crate::sbs::Decode::decode(reader)?,)*
                })
            }
        }
    };
    ($($other:tt)*) => {
        ::core::compile_error!(
            "an SBS Record is written as `struct Name { field: Type, … }`, with named fields, and \
             parameters as `<T>` or `<T: Bound>`; for a Choice use `sbs::choice!`"
        );
    };
}

/// An SBS Choice as an enum: an entry of type `None` is a variant without data.
///
/// ```
/// use hat_core::sbs;
///
/// sbs::choice! {
///     /// `Shape = Choice { nothing: None, circle: Float }`
///     #[derive(Debug, PartialEq)]
///     enum Shape { Nothing, Circle(f64) }
/// }
///
/// assert_eq!(sbs::encode(&Shape::Nothing)[..], [0x80]);
/// assert_eq!(sbs::decode(&sbs::encode(&Shape::Circle(1.0))), Ok(Shape::Circle(1.0)));
/// ```
///
/// It may have parameters, as [`record!`](crate::sbs::record) may.
#[macro_export]
macro_rules! sbs_choice {
    // a name for the data of an entry, where it has any
    (@name $name:ident $type:ty) => { $name };
    ($(#[$meta:meta])* $vis:vis enum $name:ident
        $(<$($param:ident $(: $bound:path)?),+ $(,)?>)?
    {
        $($(#[$entry_meta:meta])* $entry:ident $(($type:ty))?),+ $(,)?
    }) => {
        $(#[$meta])*
        $vis enum $name $(<$($param $(: $bound)?),+>)? {
            $($(#[$entry_meta])* $entry $(($type))?,)+
        }

        const _: () = {
            enum Index { $($entry,)+ }
            const ENTRIES: usize = [$(Index::$entry as usize),+].len();

            impl $(<$($param: $crate::sbs::Encode $(+ $bound)?),+>)? $crate::sbs::Encode
                for $name $(<$($param),+>)?
            {
                #[inline]
                fn encoded_len(&self) -> usize {
                    match self {
                        $(Self::$entry $(($crate::sbs_choice!(@name value $type)))? => {
                            $crate::sbs::Encode::encoded_len(&(Index::$entry as i64))
                                $(+ <$type as $crate::sbs::Encode>::encoded_len(value))?
                        })+
                    }
                }

                #[inline]
                fn encode(&self, out: &mut impl $crate::sbs::Writer) {
                    match self {
                        $(Self::$entry $(($crate::sbs_choice!(@name value $type)))? => {
                            $crate::sbs::Encode::encode(&(Index::$entry as i64), out);
                            $(<$type as $crate::sbs::Encode>::encode(value, out);)?
                        })+
                    }
                }

                #[inline]
                fn fits_depth(&self, levels: u32) -> bool {
                    // not every entry has data, nor every type arrays
                    let _ = levels;
                    match self {
                        $(Self::$entry $(($crate::sbs_choice!(@name value $type)))? => {
                            true $(&& <$type as $crate::sbs::Encode>::fits_depth(value, levels))?
                        })+
                    }
                }
            }

            impl $(<$($param: $crate::sbs::Decode $(+ $bound)?),+>)? $crate::sbs::Decode
                for $name $(<$($param),+>)?
            {
                const MIN_LEN: usize = 1;

                #[inline]
                fn decode(reader: &mut $crate::sbs::Reader<'_>)
                    -> ::core::result::Result<Self, $crate::sbs::DecodeError>
                {
                    let at = reader.position();
                    let index = reader.index(ENTRIES)?;
                    $(if index == Index::$entry as usize {
                        return ::core::result::Result::Ok(
                            Self::$entry $((<$type as $crate::sbs::Decode>::decode(reader)?))?
                        );
                    })+
                    ::core::result::Result::Err($crate::sbs::DecodeError::NoSuchEntry {
                        at, index: index as u64, entries: ENTRIES,
                    })
                }
            }
        };
    };
    ($($other:tt)*) => {
        ::core::compile_error!(
            "an SBS Choice is written as `enum Name { Entry, Entry(Type), … }`: one type an entry or \
             none, and at least one entry; for several values make a type of them with `sbs::record!`"
        );
    };
}
