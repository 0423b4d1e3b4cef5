//! Names of invented people and villages. Family names are put together from syllables.

use crate::dice::Dice;

const GIVEN_F: [&str; 16] = [
    "Adia", "Beatrice", "Chanda", "Esther", "Fatima", "Grace", "Halima", "Joyce", "Leila", "Mercy", "Naomi", "Rehema",
    "Salome", "Tabitha", "Wanjala", "Zuhura",
];
const GIVEN_M: [&str; 16] = [
    "Abel", "Baraka", "Daudi", "Elijah", "Farid", "Gideon", "Hamisi", "Isaac", "Jabari", "Luka", "Moses", "Noah",
    "Peter", "Samson", "Thomas", "Yusuf",
];
const FIRST: [&str; 12] = ["Ka", "Mu", "Lo", "Nda", "Ta", "Wa", "Si", "Che", "Bo", "Ru", "Ma", "O"];
const MIDDLE: [&str; 10] = ["lem", "ri", "so", "han", "ku", "ge", "tun", "vi", "dor", "ma"];
const LAST: [&str; 8] = ["ba", "ro", "ni", "ka", "ndo", "ti", "we", "lo"];
const VILLAGES: [&str; 10] = [
    "Two Wells",
    "Old Ferry",
    "Red Bank",
    "Stone Bridge",
    "Mango Grove",
    "Upper Falls",
    "Lower Falls",
    "Salt Road",
    "Heron Island",
    "Long Field",
];

/// A family name.
pub(crate) fn family(dice: &mut Dice) -> String {
    [*dice.pick(&FIRST), *dice.pick(&MIDDLE), *dice.pick(&LAST)].concat()
}

/// A given name and the sex it goes with.
pub(crate) fn given(dice: &mut Dice) -> (&'static str, &'static str) {
    if dice.chance(55) { (*dice.pick(&GIVEN_F), "F") } else { (*dice.pick(&GIVEN_M), "M") }
}

/// A village.
pub(crate) fn village(dice: &mut Dice) -> &'static str {
    dice.pick::<&str>(&VILLAGES)
}

/// A telephone number that no network gives out.
pub fn phone(dice: &mut Dice) -> String {
    format!("0555 {:03} {:03}", dice.below(1000), dice.below(1000))
}
