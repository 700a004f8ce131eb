"""Histories for the tests, written down by hand."""

from personalizer.profiles.history import History, Item, Purchase

DAY = 86_400
# the purchases of Guided Profile Generation, figure 4, as far as it prints them
FIGURE_4 = (
    "Mrs Stewarts Bluing Corp Bluing Solution Mrs Stewart's - 8oz - Model 89140 - Each by...",
    "Motorola Digital Video Baby Monitor with 1.5 Inch Color LCD Screen (Discontinued by "
    "Manufacturer)",
    "Juicy Fruit Original Bubble Gum, 5 piece pack (18 Packs)",
    "Ultimate Office Party",
    "DaVinci Whole Wheat Penne, 12-Ounces (Pack of 12)",
    "Profoot Super Sport Arch Support For Men",
    "Mrs. Meyer's Clean Day Liquid Dish Soap - Bluebell - 3 pk, 16 oz",
    "Juicy Fruit Gum, 72 Count",
    "Mrs. Meyer's Clean Day Dish Soap, Bluebell, 16 fl oz",
)

CREAM = Item("cream", "Day Cream", ("Beauty", "Skin Care", "Face", "Night Creams"), "Lirelle", 0.8)
SERUM = Item(
    "serum", "Glow Serum", ("Beauty", "Skin Care", "Face", "Oils & Serums"), "Lirelle", 0.9
)
WASH = Item("wash", "Foaming Wash", ("Beauty", "Skin Care", "Face", "Cleansers"), "Lirelle", 0.7)
POLISH = Item("polish", "Red Polish", ("Beauty", "Makeup", "Nails", "Nail Polish"), "OPI", 0.2)
SHAMPOO = Item("shampoo", "Mild Shampoo", ("Beauty", "Hair Care", "Shampoos"), "Dove", 0.1)
DRYER = Item(
    "dryer", "Ionic Dryer", ("Beauty", "Hair Care", "Styling Tools", "Hair Dryers"), "", 0.5
)
ITEMS = (CREAM, SERUM, WASH, POLISH, SHAMPOO, DRYER)


def history(*items: Item, user: str = "ann", every: int = 30, start: int = 19_000) -> History:
    """Bought one after another, so many days apart."""
    bought = tuple(Purchase(item, (start + every * n) * DAY) for n, item in enumerate(items))
    content = ";".join(f"{p.item.item_id}@{p.seconds}" for p in bought)
    return History(user, bought, digest=content)
