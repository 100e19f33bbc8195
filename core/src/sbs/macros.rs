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
#[macro_export]
macro_rules! sbs_record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty),+ $(,)?
    }) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type,)+
        }

        impl $crate::sbs::Encode for $name {
            #[inline]
            fn encoded_len(&self) -> usize {
                0 $(+ $crate::sbs::Encode::encoded_len(&self.$field))+
            }

            #[inline]
            fn encode(&self, out: &mut impl $crate::sbs::Writer) {
                $($crate::sbs::Encode::encode(&self.$field, out);)+
            }

            #[inline]
            fn fits_depth(&self, levels: u32) -> bool {
                true $(&& $crate::sbs::Encode::fits_depth(&self.$field, levels))+
            }
        }

        impl $crate::sbs::Decode for $name {
            const MIN_LEN: usize = 0 $(+ <$type as $crate::sbs::Decode>::MIN_LEN)+;

            #[inline]
            fn decode(reader: &mut $crate::sbs::Reader<'_>)
                -> ::core::result::Result<Self, $crate::sbs::DecodeError>
            {
                ::core::result::Result::Ok(Self {
                    $($field: $crate::sbs::Decode::decode(reader)?,)+
                })
            }
        }
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
#[macro_export]
macro_rules! sbs_choice {
    // a name for the data of an entry, where it has any
    (@name $name:ident $type:ty) => { $name };
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$entry_meta:meta])* $entry:ident $(($type:ty))?),+ $(,)?
    }) => {
        $(#[$meta])*
        $vis enum $name {
            $($(#[$entry_meta])* $entry $(($type))?,)+
        }

        const _: () = {
            enum Index { $($entry,)+ }
            const ENTRIES: usize = [$(Index::$entry as usize),+].len();

            impl $crate::sbs::Encode for $name {
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

            impl $crate::sbs::Decode for $name {
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
}
