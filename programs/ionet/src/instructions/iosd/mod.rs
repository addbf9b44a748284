pub mod burn;
pub mod buyback;
pub mod mint_iosd;
pub mod mint_iosd_exact;
pub mod minting;
pub mod redeem_iosd;
pub mod refresh_price;

pub use {burn::*, buyback::*, minting::*, redeem_iosd::*, refresh_price::*};
